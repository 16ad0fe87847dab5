"""Templates: found, overridden, escaped, sandboxed, and blamed by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

import syndicate.rendering.environment as environment_module
from syndicate.errors import BadInput
from syndicate.rendering.email import render_digest
from syndicate.rendering.environment import make_environment, render, shipped_templates
from tests.rendering.digests import article, digest, mail, parsed, seen


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def test_a_checkout_uses_its_own_templates() -> None:
    assert shipped_templates() == Path(__file__).resolve().parents[2] / "templates"


def test_an_installed_package_never_takes_a_folder_that_happens_to_be_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment_module, "_PACKAGE", tmp_path / "syndicate")
    (tmp_path / "templates").mkdir()
    assert shipped_templates() == tmp_path / "syndicate" / "_templates"
    for pyproject in ("not toml [", "[project]\nname = 'other'\n", "[tool]\n"):
        write(tmp_path, "pyproject.toml", pyproject)
        assert shipped_templates() == tmp_path / "syndicate" / "_templates"
    write(tmp_path, "pyproject.toml", "[project]\nname = 'syndicate'\n")
    assert shipped_templates() == tmp_path / "templates"


def test_escaping_follows_the_name_of_the_file(tmp_path: Path) -> None:
    for name in ("a.html", "a.txt", "a.xml"):
        write(tmp_path, name, "{{ text }}")
    environment = make_environment(tmp_path)
    assert render(environment, "a.html", {"text": "<&>"}) == "&lt;&amp;&gt;"
    assert render(environment, "a.xml", {"text": "<&>"}) == "&lt;&amp;&gt;"
    assert render(environment, "a.txt", {"text": "<&>"}) == "<&>"


def test_the_first_site_folder_wins_and_shipped_always_names_the_shipped_one(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write(tmp_path / folder, "a.txt", folder)
    write(tmp_path / "one", "shipped/email/digest/subject.txt", "a trap")
    environment = make_environment(tmp_path / "one", tmp_path / "two")
    assert render(environment, "a.txt", {}) == "one"
    assert render(environment, "shipped/email/digest/subject.txt", {"subject": "S"}) == "S\n"


def test_a_site_changes_a_colour_or_a_part_of_the_digest(tmp_path: Path) -> None:
    write(
        tmp_path,
        "email/digest/body.html",
        '{% extends "shipped/email/digest/body.html" %}{% set accent = "#0b5d63" %}'
        "{% block masthead %}<tr><td><h1>Ours: {{ newsletter.title }}</h1></td></tr>{% endblock %}",
    )
    write(tmp_path, "email/digest/subject.txt", "{{ newsletter.title }} for {{ reader.name }}:\n {{ subject }}")
    variant = render_digest(make_environment(tmp_path), digest(article(1)))
    document = parsed(variant.html)
    assert document.xpath("//h1/text()") == ["Ours: Morning Briefing"]
    assert document.xpath("//h2/a/text()") == ["Headline number 1"]
    assert "#0b5d63" in variant.html and "#a8371b" not in variant.html
    assert mail(variant).subject == "Morning Briefing for : Headline number 1"


def test_a_newsletter_may_have_a_template_of_its_own_with_the_digests_text(tmp_path: Path) -> None:
    write(tmp_path, "email/weekly/body.html", '<h1>Week</h1><a href="{{ links.unsubscribe }}">Out</a>')
    weekly = digest(article(1))
    own = digest(article(1), newsletter=type(weekly.newsletter)("week", "The Week", "en", "UTC", template="weekly"))
    variant = render_digest(make_environment(tmp_path), own)
    assert seen(variant.html) == "WeekOut"
    assert "Headline number 1" in variant.text


def blamed(folder: Path) -> str:
    with pytest.raises(BadInput) as caught:
        render_digest(make_environment(folder), digest(article(1)))
    assert caught.value.cure
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "line", "word"),
    [
        ("one\n{% if %}", 2, "Expected an expression"),
        ("one\ntwo\n{{ nothing_like_it }}", 3, "nothing_like_it"),
        ("one\n{{ 1 / 0 }}", 2, "division by zero"),
        ("{{ newsletter.nothing }}", 1, "nothing"),
        ("one\n{{ ''.__class__.__mro__ }}", 2, "unsafe"),
        ("one\n{{ words|nofilter }}", 2, "nofilter"),
        ("one\n{% for i in range(10**9) %}{% endfor %}", 2, "Range too big"),
    ],
)
def test_a_mistake_names_its_file_and_line(tmp_path: Path, body: str, line: int, word: str) -> None:
    write(tmp_path, "email/digest/body.html", body)
    message = blamed(tmp_path)
    assert f"{tmp_path / 'email/digest/body.html'}, line {line}: " in message
    assert word in message


def test_a_mistake_in_an_included_part_is_blamed_on_the_part(tmp_path: Path) -> None:
    write(tmp_path, "email/digest/body.html", "{% include 'email/digest/part.html' %}")
    write(tmp_path, "email/digest/part.html", "\n\n{{ missing }}")
    assert f"{tmp_path / 'email/digest/part.html'}, line 3" in blamed(tmp_path)


def test_a_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    write(tmp_path, "email/digest/body.html", "\n{% extends 'email/digest/base.html' %}")
    message = blamed(tmp_path)
    assert "line 2" in message and "'email/digest/base.html'" in message
    with pytest.raises(BadInput, match=r"there is no template 'email/none\.html'"):
        render(make_environment(tmp_path), "email/none.html", {})


def test_bytes_that_are_no_text_are_blamed_on_the_template(tmp_path: Path) -> None:
    write(tmp_path, "email/digest/body.html", "")
    (tmp_path / "email/digest/body.html").write_bytes(b"\xff\xfe\x00")
    assert "email/digest/body.html" in blamed(tmp_path)


def test_a_mail_without_a_way_out_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "email/digest/body.html", "<p>{{ newsletter.title }}</p>")
    assert "no way out" in blamed(tmp_path)


def test_a_filter_that_spoils_a_recipients_value_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "email/digest/body.html", "{{ links.unsubscribe }} {{ reader.name|upper }}")
    assert "as they are" in blamed(tmp_path)


def test_a_style_from_elsewhere_is_never_fetched(tmp_path: Path) -> None:
    write(
        tmp_path,
        "email/digest/body.html",
        '<link rel="stylesheet" href="http://127.0.0.1:9/x.css"><p>{{ links.unsubscribe }}</p>',
    )
    assert render_digest(make_environment(tmp_path), digest(article(1))).html
