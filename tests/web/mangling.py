"""Requests as nobody should send them, and as most do."""

from __future__ import annotations

from hypothesis import strategies as st

_OCTETS = [b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"a"]


@st.composite
def pieces(draw: st.DrawFn, requests: st.SearchStrategy[bytes]) -> bytes:
    """One of the requests, most often as it should be; else with octets put in, taken out, or another behind it."""
    piece = draw(requests)
    change = draw(st.integers(0, 9))
    place = draw(st.integers(0, len(piece)))
    if change == 0:
        return piece[:place] + draw(st.sampled_from(_OCTETS)) + piece[place:]
    if change == 1:
        return piece[:place] + piece[place + draw(st.integers(1, 4)) :]
    if change == 2:
        return piece[:place]
    return piece + draw(requests) if change == 3 else piece
