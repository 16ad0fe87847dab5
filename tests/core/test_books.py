from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.books import PLACES, Books, books_of
from syndicate.core.retry import LONGEST_SECONDS, wait_seconds


@given(st.dictionaries(st.sampled_from(PLACES), st.integers(-5, 1000)), st.integers(0, 5000))
def test_balanced_means_everybody_is_in_one_place(counts: dict[str, int], planned: int) -> None:
    books = books_of(planned, counts)
    assert books.balanced == (planned == sum(counts.values()) and all(count >= 0 for count in counts.values()))
    assert books.as_dict() == {"planned": planned, **{p: counts.get(p, 0) for p in PLACES}, "balanced": books.balanced}


def test_one_too_many_and_one_too_few_is_not_balanced() -> None:
    assert not Books(10, accepted=11, waiting=-1).balanced
    assert Books(10, accepted=9, refused=1).balanced


@given(st.integers(1, 1000), st.floats(0, 1, exclude_max=True))
def test_waits_grow_to_a_limit_and_differ(attempts: int, jitter: float) -> None:
    wait = wait_seconds(attempts, jitter)
    assert 0 < wait <= LONGEST_SECONDS
    assert wait_seconds(attempts + 1, jitter) >= wait
    assert wait_seconds(attempts, 0) / 2 < wait + 1e-9
