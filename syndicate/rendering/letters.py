"""The mails of an issue for many recipients of several versions: what a request is built from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from syndicate.core.copies import Copies, Letter
from syndicate.core.message import Message
from syndicate.core.recipients import Recipients
from syndicate.errors import BadInput
from syndicate.rendering.email import RenderedVariant
from syndicate.rendering.personalise import Envelope, copies, letter_of, message_ids_of


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

    def write(self, revision: int, people: Recipients) -> Sequence[Message]:
        """A mail for each, in their order: copies of one letter where all get the same version. Raises BadInput when a
        version is missing or a mail cannot be made."""
        if len(set(people.variant_keys)) == 1:
            return self._copies(revision, people.variant_keys[0], people)
        messages: list[Message] = []
        for key, run in groupby(people.variant_keys):
            start = len(messages)
            messages += self._copies(revision, key, people.part(start, start + len(list(run))))
        return messages

    def _copies(self, revision: int, key: str, people: Recipients) -> Copies:
        envelope = replace(self._envelope, revision=revision)
        letter = self._letters.get((revision, key))
        if letter is None:
            versions = self._versions_of(revision)
            if key not in versions:
                raise BadInput(f"Revision {revision} of issue {envelope.issue_id} has no version {key!r}.")
            letter = self._letters[revision, key] = letter_of(versions[key], envelope)
        return copies(letter, envelope, people)

    def message_ids(self, people: Recipients) -> list[str]:
        """The Message-IDs of their mails, whatever the revision."""
        return message_ids_of(self._envelope, people)
