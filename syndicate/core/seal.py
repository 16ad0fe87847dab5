"""Seals: what an approval binds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from syndicate.core.issue import Audience, Composed


def seal_of(
    *, variant_sha256: Sequence[str], lo: int, hi: int, composed: Sequence[Composed], audience: Audience
) -> str:
    """SHA-256 over what people will read (the rendered variants, subject within), the window, the articles at their
    revisions and the audience rule. Any edit gives another seal, and an approval of the old one no longer binds."""
    sealed = {
        "variants": sorted(variant_sha256),
        "window": [lo, hi],
        "articles": [[each.article_id, each.number, each.position, each.role, each.revision] for each in composed],
        "audience": [audience.cadence, sorted(audience.to) if audience.to is not None else None],
    }
    return hashlib.sha256(json.dumps(sealed, separators=(",", ":"), sort_keys=True).encode()).hexdigest()
