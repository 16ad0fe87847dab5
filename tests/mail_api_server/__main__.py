"""python -m tests.mail_api_server --port 0 --dialect resend --journal FILE [--fault 3:drop_after_accept]…

Prints one line `{"url": …, "pid": …}` when it listens, and leaves when its standard input ends or at SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from pathlib import Path

from tests.mail_api_server import DIALECTS, KINDS, MailApiServer, Plan


def main() -> None:
    listing = "\n".join(f"  {kind:20} {meaning}" for kind, meaning in KINDS.items())
    parser = argparse.ArgumentParser(
        "python -m tests.mail_api_server",
        description="A mail API that fails as planned.",
        epilog=f"faults:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dialect", choices=sorted(DIALECTS), required=True)
    parser.add_argument("--journal", type=Path, required=True, help="append-only file of what was accepted")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fault", action="append", default=[], metavar="N:KIND[=VALUE]", help="at request N")
    parser.add_argument("--chance", action="append", default=[], metavar="KIND=P", help="at any request, by seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kill-pid", type=int, help="whom kill faults kill; may be set later by POST /_control")
    parser.add_argument("--api-key", default="", help="the only key taken; any when left out")
    parser.add_argument("--refuse", action="append", default=[], metavar="ADDRESS", help="a request with it is invalid")
    parser.add_argument("--minute", type=float, default=60.0, metavar="SECONDS", help="of a record that counts them")
    chosen = parser.parse_args()
    server = MailApiServer(
        chosen.dialect,
        chosen.journal,
        plan=Plan.parse(chosen.fault, chosen.chance, chosen.seed),
        api_key=chosen.api_key,
        refuse=chosen.refuse,
        port=chosen.port,
        minute=chosen.minute,
    )
    server.pid = chosen.kill_pid
    print(json.dumps({"url": server.url, "pid": os.getpid()}), flush=True)

    def leave_with_the_parent() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=leave_with_the_parent, daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
