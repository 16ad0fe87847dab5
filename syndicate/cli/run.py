"""`syndicate run`: the product in motion; with `--once`, everything that is due or unfinished."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from syndicate.cli.frame import Frame, site_command
from syndicate.errors import Unfinished, UsageError

if TYPE_CHECKING:
    from socket import socket

    from syndicate.process.log import Log
    from syndicate.site import Site


@click.command()
@click.option("--once", is_flag=True, help="Do what is due or unfinished, then end.")
@click.option("--role", type=click.Choice(["web", "work", "clock", "worker"]), help="Run this one alone, here.")
@click.option("--concurrency", type=click.IntRange(1, 64), metavar="N", help="Issues that a worker sends at once (4).")
@click.option("--health", metavar="HOST:PORT", help="Answer /healthz, /readyz and /metrics there.")
@click.option("--host", metavar="HOST", help="Where the web server listens (default: [web] listen, 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Its port, 0 for any (default: [web] listen, 8000).")
@click.option("--child", is_flag=True, hidden=True)
@click.option("--listener", type=int, hidden=True)
@click.option("--demo", is_flag=True, hidden=True)
@site_command
def run(
    frame: Frame,
    once: bool,
    role: str | None,
    concurrency: int | None,
    health: str | None,
    host: str | None,
    port: int | None,
    child: bool,
    listener: int | None,
    demo: bool,
) -> int:
    """Run the site by itself, until it is told to leave.

    It serves the pages, collects, publishes, and sends at the newsletters' times.

    Starts two processes, "web" and "work", and keeps them going. The first Ctrl-C or SIGTERM lets requests under way
    come to their end; the second leaves at once. Killed at any instant, the next start goes on from there.

    With --json the lines go to standard error, and standard output says once where the site is.

    On PostgreSQL each may run alone, on any number of machines: --role web, --role clock (one keeps the clock, others
    stand by), --role worker.

    With --once it does what is due or unfinished, and ends: with 0, or with 1 when something could not be finished.
    """
    if once:
        if any(each is not None for each in (role, concurrency, health, host, port)) or child:
            raise UsageError("--once goes with no other option of its own.")
        _once(frame)
        return 0
    site = frame.site
    if role not in (None, "web") and (host is not None or port is not None):
        raise UsageError(f"--host and --port are for the web server, which --role {role} does not run.")
    if role == "web" and (health is not None or concurrency is not None):
        raise UsageError("--role web answers /healthz and /readyz itself, and sends nothing: leave those options out.")
    if role == "clock" and concurrency is not None:
        raise UsageError("--concurrency is for workers, and the clock sends nothing.")
    if role is None:
        return _supervise(frame, site, host, port, _work_options(concurrency, health))
    if role == "web":
        place = _listener(site, host, port, listener)
        return _web(frame, site, place, child=child, demo=demo)
    return _work(frame, site, role, concurrency, health, child=child)


def _work_options(concurrency: int | None, health: str | None) -> list[str]:
    options = ["--concurrency", str(concurrency)] if concurrency is not None else []
    if health is not None:
        from syndicate.process.health import parse_address

        parse_address(health)
        options += ["--health", health]
    return options


def _supervise(frame: Frame, site: Site, host: str | None, port: int | None, work_options: list[str]) -> int:
    from syndicate.process.running import run_site

    log = _log(frame, site, "run")
    site.sync(frame.now)
    place = _place(site, host, port)

    def up(address: str) -> None:
        addresses = {"feeds": f"{address}/feeds/", "console": f"{address}/console/"}
        log.say("up", f"{site.publication.title} is up. Ctrl-C leaves.", **addresses)
        # Made only now, when it can be opened; never in the log: whoever has it becomes the first user.
        link = _first_user_link(site, address)
        frame.emit({**addresses, "first_user_link": link})
        if not frame.as_json:
            click.echo(f"  Feeds    {addresses['feeds']}\n  Console  {addresses['console']}")
            if link:
                click.echo(f"  Nobody can sign in yet. Once, within a day, to make the first user:\n  {link}")

    options = ["--json"] if frame.as_json else []
    return run_site(site, log, host=place[0], port=place[1], up=up, options=options, work_options=work_options)


def _first_user_link(site: Site, address: str) -> str | None:
    import secrets
    from datetime import UTC, datetime

    from syndicate.services.first_user import first_user_link

    link = first_user_link(site.database, address, datetime.now(UTC), secrets.token_urlsafe(32))
    site.database.dispose()
    return link


def _web(frame: Frame, site: Site, listener: socket, *, child: bool, demo: bool) -> int:
    from syndicate.process.roles import live
    from syndicate.process.web import serve_site

    log = _log(frame, site, "web")
    with listener:
        return live(lambda stop, ready: serve_site(site, listener, stop, ready, log, demo=demo), log, child=child)


def _work(
    frame: Frame, site: Site, role: str, concurrency: int | None, health: str | None, *, child: bool
) -> int:
    from syndicate.process.hands import ISSUES_AT_ONCE
    from syndicate.process.health import health_port, listen_for_health
    from syndicate.process.roles import live
    from syndicate.process.work import require_possible, work

    require_possible(site, role)
    log = _log(frame, site, role)
    at_once = concurrency if concurrency is not None else ISSUES_AT_ONCE
    with ExitStack() as stack:
        if health is not None:
            listener = listen_for_health(health)
            stack.enter_context(health_port(site, listener))
            host, port = listener.getsockname()[:2]
            log.say("health", f"Tells how it is at {host}:{port}.", host=host, port=port)
        return live(
            lambda stop, ready: work(site, stop, ready, log, role=role, issues_at_once=at_once), log, child=child
        )


def _listener(site: Site, host: str | None, port: int | None, handed: int | None) -> socket:
    if handed is not None:
        from syndicate.process.supervisor import inherited

        return inherited(handed)
    from syndicate.process.web import listen

    return listen(*_place(site, host, port))


def _place(site: Site, host: str | None, port: int | None) -> tuple[str, int]:
    declared = site.settings.listen
    return host if host is not None else declared[0], port if port is not None else declared[1]


def _log(frame: Frame, site: Site, role: str) -> Log:
    from syndicate.process.log import Log, start_log

    start_log(as_json=frame.as_json, secrets=site.secrets)
    return Log(role)


def _once(frame: Frame) -> None:
    from syndicate.cli.collect import as_dict, say_report
    from syndicate.cli.progress import Bars
    from syndicate.cli.publish import report as say_published
    from syndicate.cli.sending import DRAINING, say_ended
    from syndicate.process.forgetting import told
    from syndicate.process.once import Listener, run_once

    with ExitStack() as stack:
        bars = stack.enter_context(Bars(frame))
        listener = Listener(
            collected=lambda report: None if frame.as_json else say_report(frame, report),
            published=lambda done: say_published(frame, done) if done.changed_anything and not frame.as_json else None,
            delivered=lambda ended: None if frame.as_json else say_ended(frame, ended),
            progress=bars.show,
            draining=lambda: frame.warn(DRAINING),
        )
        report = run_once(frame.site, now=frame.now, listener=listener)
    frame.emit(
        {
            "released": report.released,
            "collected": [as_dict(each) for each in report.collected],
            "published": asdict(report.published),
            "slots": report.slots,
            "issues": [
                {"id": each.issue.id, "state": each.issue.state, "why": each.issue.why, **each.books.as_dict()}
                for each in report.issues
            ],
            "forgotten": asdict(report.forgotten),
            "unfinished": report.unfinished,
        }
    )
    forgotten = told(report.forgotten)
    if not frame.as_json:
        for line in (*report.slots, *filter(None, [forgotten])):
            frame.say(line)
    did_something = (
        report.released or report.slots or report.issues or report.published.changed_anything or forgotten
    )
    if not frame.as_json and not did_something and not any(each.outcomes or each.backlog for each in report.collected):
        frame.say("Nothing was due.")
    if report.unfinished:
        raise Unfinished("\n".join(report.unfinished))
