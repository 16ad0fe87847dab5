"""The lead: never an article with suspects while another can be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.article import Article
from syndicate.core.lead import choose_lead, lead_first
from tests.rendering.digests import article

articles = st.lists(st.booleans(), max_size=12).map(
    lambda kinds: [article(n, suspects=("unbalanced quotes",) if doubtful else ()) for n, doubtful in enumerate(kinds)]
)


@given(articles=articles)
def test_the_first_sound_article_leads_and_the_rest_keep_their_order(articles: list[Article]) -> None:
    given_ = tuple(articles)
    ordered = lead_first(given_)
    sound = [each for each in ordered if not each.content.suspects]
    assert sorted(ordered, key=given_.index) == list(given_)
    if sound:
        assert ordered[0] is choose_lead(ordered) is sound[0]
        assert list(ordered[1:]) == [each for each in given_ if each is not ordered[0]]
    else:
        assert choose_lead(ordered) is None and ordered == given_
    assert lead_first(ordered) == ordered
