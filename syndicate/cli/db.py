"""`syndicate db`: make, bring up to date, check, back up and restore the database."""

from __future__ import annotations

from pathlib import Path

import click

from syndicate.cli.frame import Frame, site_command


@click.group()
def db() -> None:
    """Keep the database: upgrade, check, back up, restore it."""


@db.command()
@site_command
def upgrade(frame: Frame) -> None:
    """Create the tables, or bring them up to date.

    Make a backup first. Run again, also by two at once, it does nothing more.
    """
    from syndicate.storage.migrations import current_revision

    database = frame.opened.database
    database.upgrade()
    with database.read() as connection:
        revision = current_revision(connection)
    frame.emit({"revision": revision})
    if not frame.as_json:
        frame.say(f"The database is at revision {revision}.")


@db.command()
@click.option("--repair", is_flag=True, help="Count readers and batches anew, if their counts are off.")
@site_command
def check(frame: Frame, repair: bool) -> int:
    """Check that the database is whole and up to date.

    Looks at all of it. Without --repair it changes nothing; ends with 1 if something is off.
    """
    from syndicate.services.repair_counts import repair_counts
    from syndicate.storage.integrity import find_damage, find_wrong_counts
    from syndicate.storage.migrations import current_revision

    site = frame.site
    repaired = repair_counts(site.database, actor=frame.actor, now=frame.now) if repair else 0
    with site.database.read() as connection:
        revision = current_revision(connection)
        damage = [*find_damage(connection), *find_wrong_counts(connection)]
    frame.emit({"revision": revision, "problems": damage, "repaired": repaired})
    for each in damage if not frame.as_json else ():
        frame.warn(each)
    if not frame.as_json and repaired:
        frame.say(f"{repaired:,} counts were off, and are counted anew.")
    if not frame.as_json and not damage:
        frame.say(f"The database is whole, at revision {revision}.")
    return 1 if damage else 0


@db.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@site_command
def backup(frame: Frame, file: Path | None) -> None:
    """Back the database up, while it is used.

    FILE is new (default: backups/ in the site's folder). It holds addresses and keys: keep it as safe as the database.
    Articles, templates and syndicate.toml are files of their own: back up the folder as well.
    """
    from syndicate.services.back_up_database import back_up_database

    site = frame.site
    target = file or site.directory / "backups" / f"syndicate-{frame.now:%Y%m%d-%H%M%S}.db"
    with frame.progress("Backing up", None) as done:
        made = back_up_database(
            site.database,
            target,
            beside=site.beside,
            actor=frame.actor,
            now=frame.now,
            progress=lambda pages, _whole: done(pages),
        )
    frame.emit({"file": made.path, "bytes": made.octets, "revision": made.revision})
    if not frame.as_json:
        frame.say(f"{made.path}: {made.octets:,} bytes, whole, at revision {made.revision}.")


@db.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@site_command
def restore(frame: Frame, file: Path) -> None:
    """Put a backup in the place of the database.

    Stop "syndicate run" first. The database of now is kept aside. Who left or was suppressed since the backup stays
    out, what may have gone out since does not go by itself, and nothing is sent until "syndicate confirm-live".
    """
    from syndicate.errors import Refused
    from syndicate.services.restore_database import restore_database

    site = frame.opened
    if not frame.confirm(f"Replace the database by {file}? What happened since stays only in the one kept aside."):
        raise Refused("Nothing was restored.")
    restored = restore_database(
        site.database, file, directory=site.directory, beside=site.beside, actor=frame.actor, now=frame.now
    )
    brought = restored.brought
    frame.emit(
        {
            "revision": restored.revision,
            "aside": restored.aside,
            "suppressed": brought.suppressed,
            "left": brought.left,
            "erased": brought.erased,
            "lifted": brought.lifted,
            "journal_gap": restored.gap,
            "uncertain": restored.doubted.readers,
            "stopped": list(restored.doubted.issues),
            "slots": restored.doubted.slots,
            "letters": restored.doubted.letters,
        }
    )
    if restored.gap:
        frame.warn(f"{restored.gap} Put the journal of that site there and restore once more, if it is to be had.")
    if not frame.as_json:
        frame.say(f"Restored, at revision {restored.revision}. Before: {restored.aside or 'nothing'}.")
        frame.say(
            f"Since then {brought.suppressed} were suppressed, {brought.left} left and {brought.erased} were erased:"
            " they stay out."
            + (f" {brought.lifted} were opened again: they stay in." if brought.lifted else "")
        )
        if told := str(restored.doubted):
            frame.say(told)
        frame.say("Nothing is sent until `syndicate confirm-live`. `syndicate publish --force` writes the feeds anew.")
