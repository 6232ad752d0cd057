"""Pages of an S3 listing with any keys.

obstore rejects a whole page for a key that it cannot represent (an empty, `.` or `..` part, control characters);
`sources.s3` lists such pages with this module. Requests are signed with access keys, or anonymous without keys.
Source: "Signature Version 4", "ListObjectsV2" of the Amazon S3 API reference.
"""

from __future__ import annotations

import hashlib
import hmac
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote, unquote_plus, urlsplit
from xml.etree import ElementTree

from ..settings import S3Access

# A thousand percent-encoded keys of 1,024 bytes take 3 MB.
_RESPONSE_BYTES = 16 << 20
_ERROR_BYTES = 4096
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page: objects as obstore's dicts (`path`, `size`, `last_modified`, `e_tag`), and the next page's token."""

    objects: list[dict[str, Any]]
    next_token: str | None


class ListingError(Exception):
    """The response is not a page. The message has the form of obstore's errors: `status code: N`, then the body."""


def fetch_page(
    access: S3Access, bucket: str, *, prefix: str, delimiter: str = "", start_after: str = "", token: str | None = None
) -> Page:
    """Up to a thousand objects whose keys begin with `prefix`. Raises ListingError, or OSError without a response."""
    query = {"list-type": "2", "encoding-type": "url", "prefix": prefix, "delimiter": delimiter}
    query |= {"continuation-token": token} if token else {"start-after": start_after}
    text = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(query.items()) if value)
    url = access.bucket_url(bucket)
    request = urllib.request.Request(f"{url}?{text}", headers=_headers(access, url, text))  # noqa: S310 (an http URL)
    https = urllib.request.HTTPSHandler(context=tls_context(access.verify))
    opener = urllib.request.build_opener(https, _NoRedirect)
    try:
        with opener.open(request, timeout=access.request_timeout_s) as response:
            body = response.read(_RESPONSE_BYTES + 1)
    except urllib.error.HTTPError as error:
        with error:
            body = error.read(_ERROR_BYTES)
        raise ListingError(f"status code: {error.code}: {body.decode(errors='replace')}") from None
    return _parse(body)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Raises an error for redirects: the keys are not for another server."""

    def redirect_request(self, *_: Any) -> None:
        return None


def tls_context(verify: bool | str) -> ssl.SSLContext:
    """How certificates are verified: by those of the system, those in a file, or not at all. Raises OSError."""
    context = ssl.create_default_context()
    if isinstance(verify, str):
        context.load_verify_locations(verify)
    elif not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _headers(access: S3Access, url: str, query: str) -> dict[str, str]:
    """The headers of a GET request, signed if there are keys."""
    if not access.access_key.get_secret_value():
        return {}
    parts = urlsplit(url)
    now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": parts.netloc, "x-amz-content-sha256": _EMPTY_SHA256, "x-amz-date": now}
    if token := access.session_token.get_secret_value():
        headers["x-amz-security-token"] = token
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"GET\n{parts.path or '/'}\n{query}\n{lines}\n{names}\n{_EMPTY_SHA256}"
    scope = f"{now[:8]}/{access.region}/s3/aws4_request"
    key = f"AWS4{access.secret_key.get_secret_value()}".encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"{access.access_key.get_secret_value()}/{scope}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return headers


def _parse(body: bytes) -> Page:
    if len(body) > _RESPONSE_BYTES:
        raise ListingError("the response is too large")
    try:
        text = body.decode()  # parsed as text, so that the document cannot declare another encoding
        if "<!DOCTYPE" in text or "\0" in text:  # the parser reads text with null characters as UTF-16
            raise ListingError("the response has a document type, or is not UTF-8")
        root = ElementTree.fromstring(text)  # noqa: S314 (entities need a document type)
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]  # some stores omit the namespace
        is_encoded = root.findtext("EncodingType") == "url"
        objects = [_object(element, is_encoded) for element in root.iterfind("Contents")]
    except (ElementTree.ParseError, ValueError) as error:
        raise ListingError(f"the response is not a listing: {type(error).__name__}") from None
    is_last = root.findtext("IsTruncated", "").lower() == "false"
    token = None if is_last else root.findtext("NextContinuationToken")
    if root.tag != "ListBucketResult" or not (is_last or token):
        raise ListingError("the response is not a listing")
    return Page(objects=objects, next_token=token)


def _object(element: ElementTree.Element, is_encoded: bool) -> dict[str, Any]:
    key, modified = element.findtext("Key", ""), element.findtext("LastModified", "")
    time = datetime.strptime(modified[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return {
        "path": unquote_plus(key, errors="strict") if is_encoded else key,
        "size": int(element.findtext("Size", "")),
        "last_modified": time,
        "e_tag": element.findtext("ETag"),
    }
