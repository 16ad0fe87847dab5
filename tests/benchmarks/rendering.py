"""How fast one rendered digest becomes a whole mail for each of a million recipients, on one core.

    python -m tests.benchmarks.rendering [--recipients 1000000] [--articles 8]

Beside it, in the same run: the floor (the same bytes only joined), rendering every copy anew, and the copies written
into the requests of mail APIs that take whole ones, from the columns of an audience to the SHA-256 that a claim keeps.
Ends with 1 when a copy is wrong or memory grows with the number of recipients.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from syndicate.core.copies import Letter
from syndicate.core.placeholders import PREFERENCES, UNSUBSCRIBE, pieces
from syndicate.core.recipients import Recipients
from syndicate.mail import ADAPTERS, open_mail_api, sheet_of
from syndicate.mail.base import Connection, MailAPI
from syndicate.rendering.email import render_digest
from syndicate.rendering.environment import make_environment
from syndicate.rendering.personalise import Recipient, copies, letter_of, personalise, recipients
from tests.rendering.digests import article, digest, envelope

ENOUGH = 20_000
"""Whole copies a second a core before the wire: what the design asks for."""


def audience(count: int) -> Iterator[Recipient]:
    """Recipients made one by one, as rows come from a database."""
    for ordinal in range(1, count + 1):
        yield Recipient(ordinal, 1_000_000 + ordinal, f"reader{ordinal}@example.org", "")


def drain(items: Iterable[object]) -> float:
    """Seconds of processor to make all of them and keep none."""
    start = time.process_time()
    deque(items, maxlen=0)
    return time.process_time() - start


def requests_of(api: MailAPI, letter: Letter, people: Recipients) -> Iterator[str]:
    """The SHA-256 of each request that brings them to a mail API of whole copies."""
    size, under = api.sheet.recipients_per_request, envelope()
    for start in range(0, len(people), size):
        body = api.build(copies(letter, under, people.part(start, start + size)))
        yield hashlib.sha256(body).hexdigest()


def megabytes() -> float:
    """The most memory this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(name: str, count: int, seconds: float) -> float:
    """Prints one line and gives copies a second."""
    rate = count / seconds
    print(f"{name:<44} {count:>9,} in {seconds:7.2f} s   {rate:>10,.0f} a second", flush=True)
    return rate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipients", type=int, default=1_000_000)
    parser.add_argument("--articles", type=int, default=8)
    options = parser.parse_args()

    environment = make_environment()
    summary = (
        "What happened, who says so, and what it means for the week, in two or three sentences of plain prose. " * 2
    )
    day = digest(*(article(n, summary=summary) for n in range(1, options.articles + 1)))
    variant = render_digest(environment, day)
    print(
        f"{options.articles} articles: HTML {len(variant.html.encode()):,} bytes, text {len(variant.text.encode()):,}"
    )

    renders = 50
    report("render a variant", renders, drain(render_digest(environment, day) for _ in range(renders)))

    drain(personalise(variant, envelope(), audience(1_000)))
    before = megabytes()
    spliced = report(
        "a copy for each recipient", options.recipients,
        drain(personalise(variant, envelope(), audience(options.recipients))),
    )  # fmt: skip
    grown = megabytes() - before

    values = {
        "unsubscribe": "https://news.post.example/u/" + "x" * 51,
        "preferences": "https://news.post.example/p/" + "x" * 51,
    }
    html, text = ([values.get(piece, piece) for piece in pieces(part)] for part in (variant.html, variant.text))
    floor = report(
        "  floor: the same bytes joined", options.recipients,
        drain(("".join(html), "".join(text)) for _ in range(options.recipients)),
    )  # fmt: skip
    some = min(options.recipients, 20_000)
    letter, people = letter_of(variant, envelope()), recipients(audience(some))
    written = []
    for name in sorted(name for name in ADAPTERS if not sheet_of(name).substitution):
        api = open_mail_api(name, Connection(f"{'smtp' if name == 'smtp' else 'http'}://127.0.0.1:9", "key:secret"))
        size = api.sheet.recipients_per_request
        few = people if size > 1 else people.part(0, some // 10)
        rate = report(f"in requests to {name} ({size} in each)", len(few), drain(requests_of(api, letter, few)))
        # Where each mail is a request, its answer is waited for far longer.
        written += [rate] if size > 1 else []
    mails = [*personalise(variant, envelope(), audience(1))] * (some // 10)
    report("  beside it: a copy as JSON by json.dumps", len(mails), drain(json.dumps(asdict(mail)) for mail in mails))

    print(
        f"{spliced / floor:.2f} of the floor; memory grew by {grown:.1f} MB; {spliced / ENOUGH:.1f} × what is asked for"
    )
    wrong = any(
        UNSUBSCRIBE in message.html
        or PREFERENCES in message.html
        or dict(message.headers)["List-Unsubscribe"][1:-1] not in message.html
        for message in personalise(variant, envelope(), audience(1_000))
    )
    if wrong or grown > 20:
        print("A copy is wrong." if wrong else "Memory grows with the number of recipients.", file=sys.stderr)
        return 1
    if min(spliced, *written) < ENOUGH:
        print(f"Slower than {ENOUGH:,} a second, on this machine, now.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
