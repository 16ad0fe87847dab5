"""People by column: what is taken of them is what would be taken of their rows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.recipients import Recipients

Row = tuple[int, int, str, str, str]
rows = st.lists(
    st.tuples(st.integers(1, 60), st.integers(1, 9), *(st.text(max_size=3),) * 3), unique_by=lambda row: row[0]
).map(sorted)


def of(people: Recipients) -> list[Row]:
    columns = (people.ordinals, people.subscriber_ids, people.emails, people.names, people.variant_keys)
    return list(zip(*columns, strict=True))


@given(rows=rows, first=st.integers(0, 61), last=st.integers(0, 61), out=st.frozensets(st.integers(1, 60)))
def test_as_by_rows(rows: list[Row], first: int, last: int, out: frozenset[int]) -> None:
    people = Recipients.of(rows)
    assert of(people) == rows and len(people) == len(rows)
    assert of(people.between(first, last)) == [row for row in rows if first <= row[0] <= last]
    assert of(people.without(out)) == [row for row in rows if row[0] not in out]
    assert of(people.part(1, 3)) == rows[1:3]
