"""Light and dark previews: the questions of style sheets are answered, and nothing else is touched."""

from __future__ import annotations

import pytest

from syndicate.rendering.scheme import Scheme, in_scheme

MAIL = """<!DOCTYPE html><html><head>
<meta name="color-scheme" content="light dark"><meta name='supported-color-schemes' content='light dark'>
<style>p { color: #111; } @media (prefers-color-scheme: dark) { p { color: #eee; } }
@media screen and ( PREFERS-COLOR-SCHEME :light ), print { a { color: blue; } }</style></head>
<body><p>It says @media (prefers-color-scheme: dark) in its style, and media="(prefers-color-scheme: dark)" here.</p>
<picture><source media="(prefers-color-scheme: dark)" srcset="night.png"><img src="day.png"></picture></body></html>"""


@pytest.mark.parametrize(
    ("scheme", "dark", "light"),
    [("dark", "(min-width: 0)", "(max-width: 0)"), ("light", "(max-width: 0)", "(min-width: 0)")],
)
def test_every_question_has_one_answer(scheme: Scheme, dark: str, light: str) -> None:
    shown = in_scheme(MAIL, scheme)
    assert f"@media {dark} {{ p" in shown
    assert f"@media screen and {light}, print" in shown
    assert f'<source media="{dark}"' in shown
    assert shown.count(f'content="{scheme}"') == 2
    # What the author wrote is never changed.
    sentence = MAIL[MAIL.index("<p>") : MAIL.index("</p>")]
    assert sentence in shown


def test_a_mail_that_asks_nothing_stays_as_it_is() -> None:
    assert in_scheme("<p>Good morning.</p>", "dark") == "<p>Good morning.</p>"
