"""The sign-up form as it stands in other people's pages, in a real browser."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syndicate.storage.database import open_database
from tests.web.reading_site import reading_site

pytestmark = pytest.mark.browser


def test_a_form_on_another_site_lands_on_a_page_with_a_button(chromium: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/syndicate.db"
    database = open_database(url)
    database.upgrade()
    database.dispose()
    with reading_site(tmp_path / "site", url) as served:
        page = chromium.new_page(java_script_enabled=False)
        page.goto(f"{served.url}/subscribe/embed?newsletter=morning")
        code = page.input_value("#code").replace(served.site.publication.web_url, served.url)
        foreign = tmp_path / "elsewhere.html"
        foreign.write_text(f"<!doctype html><title>Elsewhere</title>{code}")
        page.goto(foreign.as_uri())
        page.fill("input[type=email]", "else@post.example")
        page.click("button")
        page.wait_for_selector("text=Almost there")
        assert page.input_value("#email") == "else@post.example"
        assert page.is_checked("#n-morning")
        served.now += timedelta(minutes=1)
        page.click("main button")
        page.wait_for_selector("text=Look into your mailbox")
        assert served.mails()[-1].to_email == "else@post.example"
        page.close()
