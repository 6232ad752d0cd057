"""AWS Signature Version 4, as a server checks it.

The SDK signs only `host` and `x-amz-date`, for the service `s3` and an empty region, and quotes the
path, which is percent-encoded already, once more. S3 clients sign more headers and quote once; both
are accepted. Source: "Signature Version 4 signing process" of the AWS documentation.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from urllib.parse import quote

from .assumptions import Assumptions
from .errors import forbidden
from .messages import Request

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/"
    r"(?P<scope>(?P<date>\d{8})/(?P<region>[^/]*)/s3/aws4_request), ?"
    r"SignedHeaders=(?P<signed>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


def verify(request: Request, keys: Mapping[str, str], assumptions: Assumptions) -> None:
    """Raise a 403 unless the request was signed, a short time ago, with one of the keys (access key to secret key)."""
    match = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    if match is None:
        raise forbidden("AccessDenied", "the request is not signed")
    if (secret := keys.get(match["key"])) is None:
        raise forbidden("InvalidAccessKeyId", "the access key is not known")
    _check_time(request.headers.get("x-amz-date", ""), assumptions)
    payload_hash = request.headers.get("x-amz-content-sha256", "")
    if re.fullmatch("[0-9a-f]{64}", payload_hash) and payload_hash != hashlib.sha256(request.body).hexdigest():
        raise forbidden("XAmzContentSHA256Mismatch", "the body is not the one that was signed")
    key = _signing_key(secret, match["date"], match["region"])
    for path in (quote(request.raw_path, safe="/-_.~"), request.raw_path):
        canonical = "\n".join(
            [
                request.method,
                path,
                _canonical_query(request.raw_query),
                *(f"{name}:{_canonical_header(request, name)}" for name in match["signed"].split(";")),
                "",
                match["signed"],
                payload_hash,
            ]
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        date = request.headers.get("x-amz-date", "")
        text = f"AWS4-HMAC-SHA256\n{date}\n{match['scope']}\n{digest}"
        expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        if hmac.compare_digest(expected, match["signature"]):
            return
    raise forbidden("SignatureDoesNotMatch", "the signature does not match the request")


def _check_time(signed_at: str, assumptions: Assumptions) -> None:
    if (limit := assumptions.max_clock_skew_s) is None:
        return
    try:
        then = datetime.strptime(signed_at, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise forbidden("AccessDenied", "the request has no time") from None
    now = datetime.now(timezone.utc) + timedelta(seconds=assumptions.clock_ahead_s)
    if abs(now - then) > timedelta(seconds=limit):
        raise forbidden("RequestTimeTooSkewed", "the time of the request differs too much from that of the server")


@lru_cache(maxsize=64)
def _signing_key(secret: str, date: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _canonical_query(raw_query: str) -> str:
    pairs = (part if "=" in part else f"{part}=" for part in sorted(raw_query.split("&")) if part)
    return "&".join(pairs)


def _canonical_header(request: Request, name: str) -> str:
    return " ".join(request.headers.get(name, "").split())
