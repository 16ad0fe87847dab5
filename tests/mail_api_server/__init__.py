"""A mail API server for tests: real HTTP on loopback, real idempotency keys, a durable journal, faults by plan.

In the test's own process:

    with MailApiServer("resend", tmp_path / "journal", plan=Plan.parse(["2:drop_after_accept"])) as api:
        ...post to api.url...
    assert lost(read_journal(api.journal), everybody) == set() and doubled(read_journal(api.journal)) == {}

In a process of its own (kill tests): `MailApiProcess("mailpit", journal, faults=["3:kill_after_accept"])`, then
`api.control(pid=victim.pid)` once the victim runs. By hand: `python -m tests.mail_api_server --help`.

Requests are numbered from 1 over all connections; only POSTs to the API count. KINDS lists the faults. DIALECTS are
those of the vendors, each in a file of `dialects/` that says what it keeps: keys, a record, results per message.
"""

from tests.mail_api_server.dialects import DIALECTS
from tests.mail_api_server.faults import KINDS, Fault, Plan
from tests.mail_api_server.journal import Acceptance, doubled, lost, read_journal
from tests.mail_api_server.process import MailApiProcess
from tests.mail_api_server.server import MailApiServer, Seen

__all__ = [
    "DIALECTS",
    "KINDS",
    "Acceptance",
    "Fault",
    "MailApiProcess",
    "MailApiServer",
    "Plan",
    "Seen",
    "doubled",
    "lost",
    "read_journal",
]
