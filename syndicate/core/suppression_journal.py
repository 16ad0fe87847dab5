"""The journal of suppressions: lines beside the database that outlive it, and what they say of everybody together.

One JSON object a line, with keyed hashes only, never an address: who has the file alone learns nobody's name. A line
that a kill cut short is no JSON, and its change was never committed. What allows mail again carries a token: a kill may
have it written twice, and the second time, after what somebody did since, it says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from syndicate.core.mail_event import UNREACHABLE

Act = Literal["suppressed", "lifted", "left", "joined"]
ACTS: tuple[Act, ...] = ("suppressed", "lifted", "left", "joined")
FORBIDDING: frozenset[Act] = frozenset({"suppressed", "left"})
"""What keeps mail away is in the journal before it is committed; what allows it again only afterwards: whatever a kill
leaves out, nobody is mailed who must not be."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change. `about` is the reason of a suppression, or the newsletter that somebody left or joined again. The
    same `token` means the same change; "" means none other."""

    act: Act
    address_hash: str
    at: datetime
    about: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a journal says in the end: suppressions in force by hash, those of whom all were lifted by hash, and who has
    left which newsletter by (hash, newsletter)."""

    suppressed: dict[str, Entry] = field(default_factory=dict)
    lifted: dict[str, Entry] = field(default_factory=dict)
    left: dict[tuple[str, str], Entry] = field(default_factory=dict)


def written(entry: Entry, instance: str) -> bytes:
    """The line of an entry of the database that is called `instance`, with its end."""
    line = {"act": entry.act, "hash": entry.address_hash, "at": entry.at.isoformat(), "instance": instance}
    if entry.about:
        line["about"] = entry.about
    if entry.token:
        line["token"] = entry.token
    return json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def read_entries(lines: Iterable[bytes], instance: str) -> Iterable[Entry]:
    """The entries of that database, in their order; what is cut, garbled or of another database is passed over."""
    for line in lines:
        try:
            found = json.loads(line)
            act, at = found["act"], datetime.fromisoformat(found["at"])
            if found["instance"] != instance or act not in ACTS or at.tzinfo is None:
                continue
            yield Entry(act, str(found["hash"]), at, str(found.get("about", "")), str(found.get("token", "")))
        except (ValueError, KeyError, TypeError):
            continue


def standing(entries: Iterable[Entry]) -> Standing:
    """What the entries come to: of each person and newsletter the last one counts, but an erasure stays, and
    what no report lifts."""
    result = Standing()
    seen: set[str] = set()
    for entry in entries:
        if entry.token in seen:
            continue
        if entry.token:
            seen.add(entry.token)
        place = (entry.address_hash, entry.about)
        known = result.suppressed.get(entry.address_hash)
        if known is not None and known.about == "erased" and entry.act in ("suppressed", "lifted"):
            continue
        if entry.act == "suppressed" and entry.about == UNREACHABLE and known is not None:
            # A report may lift it alone, and what stands beside it is not told again.
            continue
        if entry.act == "suppressed":
            result.suppressed[entry.address_hash] = entry
            result.lifted.pop(entry.address_hash, None)
        elif entry.act == "lifted":
            result.suppressed.pop(entry.address_hash, None)
            result.lifted[entry.address_hash] = entry
        elif entry.act == "left":
            result.left[place] = entry
        else:
            result.left.pop(place, None)
    return result
