"""AWS Signature Version 4 for one POST: what Amazon's APIs want instead of a key in a header.

Written from "Create a signed AWS API request" of the AWS reference; the samples in the tests were signed by botocore.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for one access key, region and service."""

    access_key: str
    secret_key: str = field(repr=False)
    region: str
    service: str

    def headers(self, url: str, body: bytes, content_type: str, now: datetime) -> dict[str, str]:
        """The headers of a POST of that body to that address (a path without characters to escape, no query), signed
        at the aware moment `now`; Amazon takes it for five minutes."""
        parts = urlsplit(url)
        at = now.strftime("%Y%m%dT%H%M%SZ")
        signed = {"content-type": content_type, "host": parts.netloc, "x-amz-date": at}
        names = ";".join(signed)
        lines = [f"{name}:{value}" for name, value in signed.items()]
        request = "\n".join(["POST", parts.path or "/", "", *lines, "", names, hashlib.sha256(body).hexdigest()])
        scope = f"{at[:8]}/{self.region}/{self.service}/aws4_request"
        to_sign = "\n".join([_ALGORITHM, at, scope, hashlib.sha256(request.encode()).hexdigest()])
        key = f"AWS4{self.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        credential = f"Credential={self.access_key}/{scope}"
        return {
            "Content-Type": content_type,
            "X-Amz-Date": at,
            "Authorization": f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}",
        }
