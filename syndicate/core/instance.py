"""Whether a database is where it was left: what it remembers of its place against what is found now (DESIGN §3.11).

A database remembers its places (machine and folder), `[web] url`, the account at the mail API and an epoch. The epoch
is also in a file beside it, and both go up together, the database first: a file that is ahead of it tells that an older
database was put in its place. A database that is ahead of the file is what a kill between the two leaves, or what
another machine's work looks like: nothing is lost then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Subject = Literal["epoch", "place", "web", "mail"]


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the database remembers. `mail_account` is "" until it was used with live mail."""

    places: tuple[str, ...]
    web_url: str
    mail_account: str
    epoch: int
    quarantined: bool = False

    @property
    def was_live(self) -> bool:
        """Whether mail to people was sent from it."""
        return bool(self.mail_account)


@dataclass(frozen=True, slots=True)
class Here:
    """What is found. `epoch` is the file's, or None when it has none for this database. `live`: the mail API reaches
    people. `others_are_up`: workers at places that the database remembers hold their locks in it."""

    place: str
    web_url: str
    mail_account: str
    live: bool
    epoch: int | None
    others_are_up: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was, in one sentence."""

    subject: Subject
    text: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """`quarantine`: nothing is sent from this database until somebody confirms. `wait_here`: only this machine is
    unknown, and others go on: nothing is sent from here. Else `remember` is what to remember from now on."""

    differences: tuple[Difference, ...] = ()
    quarantine: bool = False
    wait_here: bool = False
    remember: Remembered | None = None


def differences(remembered: Remembered, here: Here) -> tuple[Difference, ...]:
    """Everything that is not as the database remembers it."""
    found = []
    if is_older(remembered, here):
        text = "The database is older than what is kept beside it: a backup was put in its place."
        found.append(Difference("epoch", text))
    if remembered.places and here.place not in remembered.places:
        text = f"It was used at {', '.join(remembered.places)}, and is now at {here.place}."
        found.append(Difference("place", text))
    elif here.epoch is None and here.live and remembered.was_live:
        text = "Nothing is kept beside the database that tells whether it is the newest."
        found.append(Difference("epoch", text))
    if remembered.web_url and here.web_url != remembered.web_url:
        found.append(Difference("web", f"[web] url was {remembered.web_url}, and is {here.web_url}."))
    if here.live and remembered.was_live and here.mail_account != remembered.mail_account:
        text = "The account at the mail API is another: its address or its key changed."
        found.append(Difference("mail", text))
    return tuple(found)


def judge(remembered: Remembered, here: Here) -> Judgement:
    """What follows from what is found.

    An older database is quarantined whatever it sends through. All else counts only where mail is live, in a database
    that was live before: who rehearses may move, copy and rename."""
    found = differences(remembered, here)
    if remembered.quarantined or is_older(remembered, here):
        return Judgement(found, quarantine=True)
    if here.live and remembered.was_live and found:
        unknown_machine = all(each.subject == "place" for each in found)
        if unknown_machine and here.others_are_up:
            return Judgement(found, wait_here=True)
        return Judgement(found, quarantine=True)
    epoch = next_epoch(remembered, here)
    if remembered.was_live:
        # A rehearsal with what was live changes nothing of what live mail will be judged by.
        return Judgement(found, remember=replace(remembered, epoch=epoch))
    account = here.mail_account if here.live else ""
    return Judgement(found, remember=Remembered((here.place,), here.web_url, account, epoch))


def confirmed(remembered: Remembered, here: Here, *, shared: bool) -> Remembered:
    """What to remember once somebody says that this is how it should be. A database that is `shared` (PostgreSQL) may
    be used from several places."""
    places = remembered.places if shared else ()
    if here.place not in places:
        places = (*places, here.place)
    account = here.mail_account if here.live else remembered.mail_account
    return Remembered(places, here.web_url, account, next_epoch(remembered, here))


def is_older(remembered: Remembered, here: Here) -> bool:
    """Whether a newer state of this database was at work here."""
    return here.epoch is not None and here.epoch > remembered.epoch


def may_be_behind(remembered: Remembered, here: Here, *, shared: bool) -> bool:
    """Whether a newer state of this database may have been at work somewhere: nothing proves that there was none, or
    its file was taken elsewhere, perhaps from a backup. A database that is `shared` (PostgreSQL) is no file here."""
    elsewhere = bool(remembered.places) and here.place not in remembered.places
    return here.epoch is None or is_older(remembered, here) or (elsewhere and not shared)


def next_epoch(remembered: Remembered, here: Here) -> int:
    """Above everything that was."""
    return max(remembered.epoch, here.epoch or 0) + 1
