"""No cell that a file of ours holds is a formula for a spreadsheet, and each is read as it was written."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syndicate.core.spreadsheet import from_cell, to_cell

RUNS = "=+-@\t\r\n＝＋－＠"
NO_BREAKS = dict.fromkeys(map(ord, "\t\r\n"))
TEXTS = st.text(alphabet=RUNS + "a1;,\"' ", max_size=12)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("Ann", "Ann"),
        ("", ""),
        ("O'Neill", "O'Neill"),
        ("'s-Hertogenbosch", "'s-Hertogenbosch"),
        ("Ann=Bea; Cleo", "Ann=Bea; Cleo"),
        ("=HYPERLINK(A1)", "'=HYPERLINK(A1)"),
        ("+tag@post.example", "'+tag@post.example"),
        ("-", "'-"),
        ("@desk", "'@desk"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("＝1+1", "'＝1+1"),
        ("'=1", "''=1"),
        ("Ann;=1+1", "Ann;'=1+1"),
        ('Ann;"=1+1"', "Ann;\"'=1+1\""),
    ],
)
def test_what_would_run_is_text_and_all_else_stays(text: str, cell: str) -> None:
    assert (to_cell(text), from_cell(cell)) == (cell, text)


@given(TEXTS)
@example("''=")
@example(';""=')
def test_what_was_written_is_read(text: str) -> None:
    assert from_cell(to_cell(text)) == text


@given(st.lists(TEXTS, min_size=1, max_size=4), st.sampled_from(",;\t"))
@example(["a", 'b;"=1&"'], ";")
def test_no_cell_runs_whatever_the_list_separator_is(texts: list[str], separator: str) -> None:
    file = io.StringIO()
    # Line breaks and tabs apart: no name holds one, and each begins another row or cell for some spreadsheet.
    cells = [to_cell(text.translate(NO_BREAKS)) for text in texts]
    csv.writer(file, lineterminator="\n").writerow(cells)
    # As a spreadsheet reads: what follows a closing quote belongs to the cell.
    rows = csv.reader(io.StringIO(file.getvalue()), delimiter=separator)
    assert [cell for row in rows for cell in row if cell.startswith(tuple(RUNS))] == []
