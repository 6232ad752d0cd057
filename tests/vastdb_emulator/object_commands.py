"""Plain S3 requests: is a bucket there, its list of snapshots, and the objects that are imported.

PUT (also in the "aws-chunked" form of S3 clients), copy, HEAD, GET with one range, DELETE.
"""

import hashlib
from email.utils import formatdate
from urllib.parse import unquote
from xml.sax.saxutils import escape

from .errors import bad_request, not_found
from .messages import Answer, Request
from .service import Command, Service


def head(service: Service, request: Request) -> Answer:
    """HEAD of a bucket, or of an object."""
    service.check_bucket(request.bucket)
    return _object_answer(service, request) if request.schema else Answer()


def get(service: Service, request: Request) -> Answer:
    """GET of an object, or of a bucket's snapshots."""
    service.check_bucket(request.bucket)
    if request.schema:
        return _object_answer(service, request)
    if not request.params.get("prefix", "").startswith(".snapshot/"):
        raise not_found("list", request.target)
    return _list_snapshots(service, request)


def put(service: Service, request: Request) -> Answer:
    """PUT of an object, from the body or from another object."""
    service.check_bucket(request.bucket)
    if source := request.headers.get("x-amz-copy-source"):
        bucket, _, key = unquote(source).lstrip("/").partition("/")
        data = service.objects.get(bucket, key)
        body = f"<CopyObjectResult><ETag>{escape(_etag(data))}</ETag></CopyObjectResult>".encode()
    else:
        data, body = _payload(request), b""
    service.objects.put(request.bucket, request.schema, data)
    return Answer(body=body, headers={"ETag": _etag(data)})


def delete(service: Service, request: Request) -> Answer:
    """DELETE of an object."""
    service.check_bucket(request.bucket)
    service.objects.delete(request.bucket, request.schema)
    return Answer(status=204)


def _object_answer(service: Service, request: Request) -> Answer:
    data = service.objects.get(request.bucket, request.schema)
    headers = {
        "ETag": _etag(data),
        "Last-Modified": formatdate(0, usegmt=True),
        "Accept-Ranges": "bytes",
    }
    if not (asked := request.headers.get("Range", "").removeprefix("bytes=")):
        return Answer(body=data, headers=headers)
    first, _, last = asked.partition("-")
    start = int(first) if first else max(0, len(data) - int(last))
    stop = min(int(last) + 1, len(data)) if first and last else len(data)
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    return Answer(status=206, body=data[start:stop], headers=headers)


def _payload(request: Request) -> bytes:
    """The body without the chunk sizes and signatures of the "aws-chunked" encoding."""
    if "aws-chunked" not in request.headers.get("Content-Encoding", ""):
        return request.body
    pieces, rest = [], request.body
    while rest:
        header, _, rest = rest.partition(b"\r\n")
        try:
            size = int(header.partition(b";")[0], 16)
        except ValueError:
            raise bad_request("the aws-chunked body cannot be read") from None
        if size == 0:
            break
        pieces.append(rest[:size])
        rest = rest[size + 2 :]
    return b"".join(pieces)


def _list_snapshots(service: Service, request: Request) -> Answer:
    prefix = request.params["prefix"]
    names = [f".snapshot/{name}/" for name in service.snapshots.get(request.bucket, ())]
    prefixes = "".join(
        f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in names if name.startswith(prefix)
    )
    body = (
        f"<ListBucketResult><Name>{escape(request.bucket)}</Name><IsTruncated>false</IsTruncated>"
        f"<Marker></Marker>{prefixes}</ListBucketResult>"
    )
    return Answer(body=body.encode())


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


COMMANDS: dict[tuple[str, str], Command] = {
    ("HEAD", ""): head,
    ("GET", ""): get,
    ("PUT", ""): put,
    ("DELETE", ""): delete,
}
