"""`syndicate token create|list|revoke`: what programs show to the API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from syndicate.cli.frame import Frame, site_command


@click.group()
def token() -> None:
    """Let programs in, and lock them out."""


@token.command()
@click.argument("name")
@click.option("--source", default="", help='The only source that it may push to (default: every one of kind "push").')
@site_command
def create(frame: Frame, name: str, source: str) -> None:
    """Make a token for a program that pushes articles.

    It is shown once and kept nowhere: give it to the program at once, as "Authorization: Bearer TOKEN".
    """
    import secrets

    from syndicate.core.api_token import RANDOM_OCTETS
    from syndicate.services.create_token import create_token

    site = frame.site
    if source:
        site.receiver(source)
    made = create_token(
        site.database,
        name,
        source=source,
        actor=frame.actor,
        random=secrets.token_bytes(RANDOM_OCTETS),
        now=frame.now,
    )
    frame.emit({"name": name, "source": source, "token": made})
    if not frame.as_json:
        frame.say(made)
        frame.warn("It is shown this once. A lost one is replaced: revoke it and create another.")


@token.command("list")
@site_command
def list_tokens(frame: Frame) -> None:
    """List the tokens; what they say is known to nobody here."""
    from syndicate.storage import api_tokens

    with frame.site.database.read() as connection:
        rows: list[dict[str, Any]] = [asdict(each) for each in api_tokens.list_tokens(connection)]
    for row in rows:
        row["state"] = "revoked" if row["revoked_at"] else "good"
    frame.rows(
        rows,
        {
            "name": "name",
            "state": "state",
            "source": "source",
            "created_at": "created",
            "created_by": "by",
            "used_at": "last used",
        },
        empty="No token yet: `syndicate token create NAME` makes one.",
    )


@token.command()
@click.argument("name")
@site_command
def revoke(frame: Frame, name: str) -> None:
    """Make a token worthless at once."""
    from syndicate.services.revoke_token import revoke_token

    revoke_token(frame.site.database, name, actor=frame.actor, now=frame.now)
    frame.emit({"name": name, "state": "revoked"})
    if not frame.as_json:
        frame.say(f"{name} opens nothing any more.")
