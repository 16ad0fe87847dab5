"""The mails of an issue for many recipients of several versions: what a request is built from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Protocol

from syndicate.core.copies import Copies, Letter
from syndicate.core.message import Message
from syndicate.errors import BadInput
from syndicate.rendering.email import RenderedVariant
from syndicate.rendering.personalise import Envelope, Person, copies, letter_of, message_id


class Member(Person, Protocol):
    """Whoever gets a version."""

    @property
    def variant_key(self) -> str: ...


class Letters:
    """Mails under one envelope, the same for the same people for ever. `load` gives the versions of a revision by
    variant key; it is asked once for each."""

    def __init__(self, envelope: Envelope, load: Callable[[int], Mapping[str, RenderedVariant]]) -> None:
        self._envelope, self._load = envelope, load
        self._versions: dict[int, Mapping[str, RenderedVariant]] = {}
        self._letters: dict[tuple[int, str], Letter] = {}

    def has_nothing(self, revision: int, key: str) -> bool:
        """Whether nothing is left of that version: its readers get no mail."""
        version = self._versions_of(revision).get(key)
        return version is not None and not version.html

    def _versions_of(self, revision: int) -> Mapping[str, RenderedVariant]:
        if revision not in self._versions:
            self._versions[revision] = self._load(revision)
        return self._versions[revision]

    def write(self, revision: int, people: Sequence[Member]) -> Sequence[Message]:
        """A mail for each, in their order: copies of one letter where all get the same version. Raises BadInput when a
        version is missing or a mail cannot be made."""
        if len({person.variant_key for person in people}) == 1:
            return self._copies(revision, people[0].variant_key, people)
        by_version = groupby(people, lambda person: person.variant_key)
        groups = [self._copies(revision, key, list(group)) for key, group in by_version]
        return [message for group in groups for message in group]

    def _copies(self, revision: int, key: str, people: Sequence[Person]) -> Copies:
        envelope = replace(self._envelope, revision=revision)
        letter = self._letters.get((revision, key))
        if letter is None:
            versions = self._versions_of(revision)
            if key not in versions:
                raise BadInput(f"Revision {revision} of issue {envelope.issue_id} has no version {key!r}.")
            letter = self._letters[revision, key] = letter_of(versions[key], envelope)
        return copies(letter, envelope, people)

    def message_ids(self, people: Iterable[Person]) -> list[str]:
        """The Message-IDs of their mails, whatever the revision."""
        return [message_id(self._envelope, person) for person in people]
