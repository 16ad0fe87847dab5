"""`syndicate users …`: who may use the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from syndicate.cli.frame import Frame, site_command
from syndicate.core.user import ROLES

if TYPE_CHECKING:
    from syndicate.core.user import Role

_ROLE = click.Choice(ROLES)


@click.group()
def users() -> None:
    """Say who may use the console, and in which role."""


@users.command("list")
@site_command
def list_all(frame: Frame) -> None:
    """List the users of the console."""
    from syndicate.storage.users import list_users

    with frame.site.database.read() as connection:
        known = list_users(connection)
    frame.rows(
        [
            {
                "id": each.user.id,
                "name": each.user.name,
                "role": each.user.role,
                "state": "good" if each.password_hash else "has no password yet",
                "created_at": each.created_at,
                "signed_in_at": each.signed_in_at,
            }
            for each in known
        ],
        {"name": "name", "role": "role", "state": "state", "signed_in_at": "last signed in"},
        empty="Nobody yet: `syndicate users add NAME` makes the first.",
    )


@users.command()
@click.argument("name")
@click.option("--role", type=_ROLE, default="editor", show_default=True, help="An editor prepares, a sender sends.")
@site_command
def add(frame: Frame, name: str, role: Role) -> None:
    """Let somebody in, by a link to choose a password.

    An editor prepares, a sender sends too, an admin manages the users besides.
    """
    import secrets

    from syndicate.services.users import add_user

    frame.site.sync(frame.now)
    token = secrets.token_urlsafe(32)
    user = add_user(frame.site.database, name, role, actor=frame.actor, token=token, now=frame.now)
    _say_link(frame, user.name, token)


@users.command("role")
@click.argument("name")
@click.argument("role", type=_ROLE)
@site_command
def change(frame: Frame, name: str, role: Role) -> None:
    """Give a user another role."""
    from syndicate.services.users import change_role

    changed = change_role(frame.site.database, name, role, actor=frame.actor, now=frame.now)
    frame.emit({"name": name, "role": role, "changed": changed})
    if not frame.as_json:
        frame.say(f"{name} is {role}{'. Their sign-ins have ended.' if changed else ', as before.'}")


@users.command()
@click.argument("name")
@site_command
def remove(frame: Frame, name: str) -> int:
    """Shut a user out at once.

    What they did stays under their name.
    """
    from syndicate.services.users import remove_user

    if not frame.confirm(f"Shut {name} out?"):
        return 1
    user = remove_user(frame.site.database, name, actor=frame.actor, now=frame.now)
    frame.emit({"name": user.name, "removed": True})
    if not frame.as_json:
        frame.say(f"{user.name} is shut out, and signed out everywhere.")
    return 0


@users.command()
@click.argument("name")
@site_command
def reset(frame: Frame, name: str) -> None:
    """Print a new link for a user whose password is lost.

    The old password holds until the link is used.
    """
    import secrets

    from syndicate.services.users import reset_user

    token = secrets.token_urlsafe(32)
    user = reset_user(frame.site.database, name, actor=frame.actor, token=token, now=frame.now)
    _say_link(frame, user.name, token)


def _say_link(frame: Frame, name: str, token: str) -> None:
    from syndicate.services.first_user import WELCOME
    from syndicate.web.security.hosts import console_address

    link = f"{console_address(frame.site)}/{WELCOME}/{token}"
    frame.emit({"name": name, "link": link})
    if not frame.as_json:
        frame.say(link)
        frame.warn(f"For {name} alone: it works once, within 24 hours, and is shown this once.")
