"""Deliver an issue: claim its batches, post them, record the answers, and settle what is uncertain.

One thread owns the ledger: it settles, builds, claims and decides. A pool of threads does nothing but wait for the mail
API. Killed at any instant, the next delivery finds what was under way and goes on (DESIGN §3.6–3.8).
"""

from __future__ import annotations

from syndicate.services.deliver_issue.delivery import Delivery
from syndicate.services.deliver_issue.run import deliver

__all__ = ["Delivery", "deliver"]
