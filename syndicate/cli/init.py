"""`syndicate init`: a new site."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option("--site", type=click.Path(path_type=Path, file_okay=False), help="The same as DIRECTORY.")
@click.option("--json", "as_json", is_flag=True, help="Print the result for programs.")
@click.pass_context
def init(ctx: click.Context, directory: Path | None, site: Path | None, as_json: bool) -> None:
    """Make a new site in DIRECTORY (default: this folder)."""
    from syndicate.services.write_site import write_site
    from syndicate.site import open_site

    # No Frame: there is no site to open before this command has made it.
    folder = directory or site or (ctx.find_root().obj or {}).get("site") or Path.cwd()
    write_site(folder)
    made = open_site(folder)
    made.start(datetime.now(UTC))
    made.database.dispose()
    if as_json:
        click.echo(json.dumps({"id": str(folder.resolve())}))
        return
    inside = "" if folder.resolve() == Path.cwd() else f"cd {folder}\n     "
    click.echo(f"A new site is in {folder}.\n\nNext:")
    click.echo("  1. Put your names and addresses into syndicate.toml: samples stand there now.")
    click.echo("  2. Put an article into articles/, for instance articles/world/first.md.")
    click.echo(f"  3. {inside}syndicate collect && syndicate publish")
