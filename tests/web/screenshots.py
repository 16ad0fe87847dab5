"""`python3 -m tests.web.screenshots OUT [NAME…]`: a picture of every page, narrow and wide, in light and dark.

The pages are those of `tests.web.visits`, on a site that is made for it and gone afterwards. With names only pages
whose name holds one of them. OUT/index.html shows all of them side by side.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.conftest import a_browser
from tests.web.filled_site import filled_site
from tests.web.visiting import go
from tests.web.visits import VISITS
from tests.web.windows import Windows

WIDTHS = (360, 1280)
HEIGHT, HIGHEST = 900, 6_000
DRAWN_MILLISECONDS = 250
SCHEMES: tuple[Any, ...] = ("light", "dark")


def main(out: Path, names: list[str]) -> None:
    """Raises what a page fails with: a picture of a wrong page is none."""
    out.mkdir(parents=True, exist_ok=True)
    wanted = [each for each in VISITS if not names or any(name in each.name for name in names)]
    with TemporaryDirectory() as folder, a_browser() as chromium, filled_site(Path(folder)) as site:
        for visit in wanted:
            opened = Windows(chromium)
            page = go(opened, site, visit)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": HEIGHT})
                # The window becomes as high as the page: frames draw only what is in it.
                high = page.evaluate("document.documentElement.scrollHeight")
                page.set_viewport_size({"width": width, "height": min(max(high, HEIGHT), HIGHEST)})
                for scheme in SCHEMES:
                    page.emulate_media(color_scheme=scheme)
                    page.wait_for_timeout(DRAWN_MILLISECONDS)
                    page.screenshot(path=out / f"{visit.name}.{width}.{scheme}.png")
            opened.close()
            print(visit.name, flush=True)
    (out / "index.html").write_text(_sheet([each.name for each in wanted]), encoding="utf-8")


def _sheet(names: list[str]) -> str:
    looks = [f"{width}.{scheme}" for width in WIDTHS for scheme in SCHEMES]
    rows = "".join(
        f"<h2>{escape(name)}</h2><p>"
        + "".join(
            f'<a href="{name}.{look}.png"><img src="{name}.{look}.png" alt="{name} {look}"></a> ' for look in looks
        )
        for name in names
    )
    style = "body{font-family:sans-serif}img{height:22rem;vertical-align:top;border:1px solid #999}"
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Every page</title><style>{style}</style>{rows}'


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:])
