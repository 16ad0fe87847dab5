"""Every error that a person can meet, in one tree.

    SyndicateError                  exit 1
    ├── UsageError                  exit 2   the command or its arguments are off
    ├── SettingsError               exit 2   syndicate.toml or the environment is off; carries every mistake at once
    ├── NothingToSend               exit 3   no numbered article is left for this newsletter
    ├── NotFound                    exit 1   no such article, issue, subscriber, source, feed or newsletter
    ├── Refused                     exit 1   a rule of the house forbids it now (a state, a guard, a suppression)
    ├── BadInput                    exit 1   a file, a row or a field from outside cannot be used
    ├── StorageError                exit 1   the database is missing, locked, older or newer than this program
    ├── MailAPIError                exit 1   the mail API cannot be used at all (address, key, guard)
    └── Unfinished                  exit 1   everything that could be done was done, and something is left

A message is one sentence that names the place, and `cure` is the next step. `try_again` says whether the same call may
succeed later without a change by a person.
"""

from __future__ import annotations

from collections.abc import Sequence


class SyndicateError(Exception):
    """Base of all. `exit_status` is what the command line ends with."""

    exit_status = 1
    try_again = False

    def __init__(self, message: str, *, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.message} {self.cure}".strip()


class UsageError(SyndicateError):
    """The command line was used wrongly."""

    exit_status = 2


class SettingsError(SyndicateError):
    """`syndicate.toml` or the environment is off; `mistakes` holds one sentence for each, with its place."""

    exit_status = 2

    def __init__(self, message: str, *, mistakes: Sequence[str] = (), cure: str = "") -> None:
        super().__init__(message, cure=cure)
        self.mistakes = tuple(mistakes)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"  {mistake}" for mistake in self.mistakes)])


class NothingToSend(SyndicateError):
    """There is no article for the issue."""

    exit_status = 3
    try_again = True


class NotFound(SyndicateError):
    """The thing named does not exist."""


class Refused(SyndicateError):
    """A rule forbids it in the present state."""


class BadInput(SyndicateError):
    """Something from outside cannot be used as it is."""


class StorageError(SyndicateError):
    """The database cannot be used as it is."""


class MailAPIError(SyndicateError):
    """The mail API cannot be used at all; answers to single requests are `core.message.Answer`, not errors."""


class Unfinished(SyndicateError):
    """Everything that could be done was done; the message says what is left and the next step."""

    try_again = True
