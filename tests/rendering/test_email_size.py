"""A mail stays under 102,000 bytes whatever the day brings, and says how much it leaves out."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate.core.article import Image
from syndicate.core.preflight import HTML_LIMIT
from syndicate.errors import BadInput
from syndicate.rendering.email import render_digest
from syndicate.rendering.environment import make_environment
from syndicate.rendering.personalise import Recipient
from tests.rendering.digests import article, digest, mail, parsed, seen

ENVIRONMENT = make_environment()
# The longest values that a recipient can have.
DEMANDING = Recipient(1, 2**63 - 1, "reader@example.org", "\"'" * 200)


def shown_and_left(html: str) -> tuple[int, int]:
    """How many articles the mail links to, and how many it says are on the web."""
    links = parsed(html).xpath("//h2/a | //li/a")
    left = re.search(r"and (\d+) more on the web", seen(html))
    return len(links), int(left[1]) if left else 0


letters = st.sampled_from(["a", "&", "<", '"', "é", "漢", "🚢", "\u00a0", " "])
words = st.builds(lambda each, times: each * times, st.text(letters, min_size=1, max_size=20), st.integers(1, 400))
days = st.builds(
    lambda kinds, full, titles: [kinds[n % len(kinds)] for n in range(full + titles)],
    st.lists(st.tuples(words, words, words, st.booleans()), min_size=1, max_size=4),
    st.integers(0, 150),
    st.integers(0, 600),
)


@given(day=days, share=st.floats(0, 1), intro=words)
@settings(max_examples=25)
def test_whatever_the_day_brings(day: list[tuple[str, str, str, bool]], share: float, intro: str) -> None:
    articles = [
        article(
            number,
            title=title,
            summary=summary,
            section=section,
            image=Image(f"https://post.example/{number}.jpg?{'x' * 500}", summary, title) if pictured else None,
            link=f"https://post.example/{number}/{'s' * (number % 1500)}",
        )
        for number, (title, summary, section, pictured) in enumerate(day, 1)
    ]
    full = int(len(articles) * share)
    variant = render_digest(ENVIRONMENT, digest(*articles[:full], titles=tuple(articles[full:]), intro=intro[:5000]))
    message = mail(variant, DEMANDING, issue_id=2**63 - 1)
    assert len(message.html.encode()) < HTML_LIMIT
    shown, left = shown_and_left(message.html)
    assert shown + left == len(articles)
    assert "Unsubscribe" in seen(message.html)[-400:] and "Harbour Post Ltd" in seen(message.html)[-400:]
    in_text = [line.strip() for line in message.text.splitlines()]
    assert all(href in in_text for href in parsed(message.html).xpath("//h2/a/@href | //li/a/@href"))


def test_summaries_are_shortened_before_articles_are_demoted() -> None:
    articles = [article(n, summary="Words of a long summary. " * 40) for n in range(60)]
    html = render_digest(ENVIRONMENT, digest(*articles)).html
    assert len(parsed(html).xpath("//h2/a")) == 60
    assert all(len(each) <= 401 for each in parsed(html).xpath("//p[contains(@class, 'summary')]/text()"))


def test_ten_thousand_articles_and_a_title_of_ten_megabytes() -> None:
    articles = [
        article(0, title="Storm " * 2_000_000, summary="é" * 10_000_000),
        *(article(n) for n in range(1, 10_000)),
    ]
    message = mail(render_digest(ENVIRONMENT, digest(*articles)))
    assert len(message.html.encode()) < HTML_LIMIT
    shown, left = shown_and_left(message.html)
    assert shown + left == 10_000 and shown > 100
    assert len(message.text.encode()) < HTML_LIMIT


def test_an_address_that_no_mail_program_follows_gives_way_to_the_archive() -> None:
    html = render_digest(ENVIRONMENT, digest(article(1, link="https://post.example/" + "x" * 5_000))).html
    assert parsed(html).xpath("//h2/a/@href") == ["https://news.post.example/archive/morning/4711"]


def test_a_template_that_is_too_large_by_itself_is_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("templates")
    (folder / "email" / "digest").mkdir(parents=True)
    (folder / "email" / "digest" / "body.html").write_text(
        f'<a href="{{{{ links.unsubscribe }}}}">x</a>{"y" * 110_000}'
    )
    with pytest.raises(BadInput, match=r"email/digest/body\.html.*102,000"):
        render_digest(make_environment(folder), digest(article(1)))


def test_the_longest_name_is_counted_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("templates")
    (folder / "email" / "digest").mkdir(parents=True)
    (folder / "email" / "digest" / "body.html").write_text(
        '{% extends "shipped/email/digest/body.html" %}'
        "{% block intro %}<tr><td>{{ reader.name * 20 }}</td></tr>{% endblock %}"
    )
    articles = [replace(article(n), link=f"https://post.example/{n}") for n in range(400)]
    variant = render_digest(make_environment(folder), digest(*articles))
    message = mail(variant, DEMANDING)
    assert message.html.count("&quot;") >= 2_000
    assert len(message.html.encode()) < HTML_LIMIT
