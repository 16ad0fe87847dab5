"""What makes two readings the same article: their words, or their address. Never their title alone."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from w3lib.url import canonicalize_url

from syndicate.rendering.html import text_of

_WORD = re.compile(r"[^\W_]+")
_TRACKING_PREFIXES = ("utm_", "mtm_", "pk_", "piwik_", "hsa_", "_hs", "vero_", "oly_", "at_campaign", "at_medium")
_TRACKING = {
    "fbclid", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "twclid", "ttclid", "li_fat_id",
    "igshid", "igsh", "mc_cid", "mc_eid", "mkt_tok", "cmpid", "ck_subscriber_id", "srsltid", "s_cid", "wt_mc",
    "xtor", "ref_src", "__twitter_impression", "ocid", "ncid", "rss_id",
}
_DEFAULT_PORTS = {"http": 80, "https": 443}


def text_hash(title: str, html: str) -> str:
    """SHA-256 (hex) of the words of title and body, without case, punctuation, white space and markup.

    "" when the body has no words: a title alone makes nothing the same.
    """
    body = _words(text_of(html))
    if not body:
        return ""
    return hashlib.sha256(" ".join([*_words(title), *body]).encode()).hexdigest()


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def canonical_url(url: str) -> str:
    """The address for comparing, never for showing: https, host folded, no default port, fragment, tracking
    parameters or closing slash, parameters in order. "" for what is no web address."""
    try:
        parts = urlsplit(canonicalize_url(url.strip()))
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return ""
    kept = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not name.lower().startswith(_TRACKING_PREFIXES) and name.lower() not in _TRACKING
    ]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{port}"
    return urlunsplit(("https", host, parts.path.rstrip("/") or "/", urlencode(kept), ""))
