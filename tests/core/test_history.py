from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.history import LONGEST_KEY, Carried, history_of, short_key

ARTICLES = st.frozensets(st.sampled_from("abcdef"))


def test_marks_are_readable_and_shared() -> None:
    earlier = [
        Carried(17, 1, "", 1, frozenset("ax")),
        Carried(17, 2, "+120", 1, frozenset("abx")),
        Carried(18, 3, "", 1, frozenset("a")),
        Carried(19, 4, "", 1, frozenset("z")),
    ]
    history = history_of(earlier, frozenset("abc"))
    assert history.without == {"-17": frozenset("a"), "-17.2": frozenset("ab")}
    assert [each.issue_id for each in history.versions["-17"]] == [17, 18]
    assert history.articles_of("") == (frozenset(), None)
    assert history.articles_of("-17+120") == (frozenset("a"), 120)
    assert history.articles_of("-17-17.2") == (frozenset("ab"), None)


CARRIED = st.lists(
    st.builds(
        Carried, st.integers(1, 5), st.integers(1, 99), st.sampled_from(["", "+1", "-3"]), st.integers(1, 2), ARTICLES
    ),
    unique_by=(lambda each: each.variant_id, lambda each: (each.issue_id, each.variant_key, each.revision)),
)


@given(CARRIED, ARTICLES)
def test_each_earlier_version_leaves_out_just_what_it_shares(carried: list[Carried], articles: frozenset[str]) -> None:
    history = history_of(carried, articles)
    named = {(v.issue_id, v.variant_id): mark for mark, found in history.versions.items() for v in found}
    for each in carried:
        mark = named.get((each.issue_id, each.variant_id))
        assert (mark is None) == (not each.article_ids & articles)
        if mark is not None:
            assert history.articles_of(mark) == (each.article_ids & articles, None)


@given(CARRIED, CARRIED, ARTICLES)
def test_a_mark_means_the_same_when_more_is_known(
    carried: list[Carried], later: list[Carried], articles: frozenset[str]
) -> None:
    known = {(each.issue_id, each.variant_key, each.revision) for each in carried}
    taken = {each.variant_id for each in carried}
    more = [
        each
        for each in later
        if each.variant_id not in taken and (each.issue_id, each.variant_key, each.revision) not in known
    ]
    before, after = history_of(carried, articles), history_of([*carried, *more], articles)
    for mark in before.without.keys() & after.without.keys():
        assert before.without[mark] == after.without[mark]


@given(st.text("-+0123456789", max_size=400), st.text("-+0123456789", max_size=400))
def test_keys_fit_and_stay_apart(one: str, other: str) -> None:
    assert len(short_key(one)) <= LONGEST_KEY
    assert (short_key(one) == short_key(other)) == (one == other)
