"""Commands that run the serverless function on this machine: function serve, invoke, replay."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..function.local import INSECURE, TOKEN
from .exit_codes import ExitCode

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping

    from ..function.local.context import LocalContext

_ERRORS = 400  # the first status of HTTP that is an error
_MOST_BYTES = 1 << 20  # of the body of an error
_SHOWN = 200  # characters of a text that is not a result

function = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Run the serverless function on this machine.")


def _context(path: str) -> LocalContext:
    from ..function.local.context import context_of

    return context_of(path)


# A context, or None. Read before other options, whose environment variables may be in `envs:` of the file.
Config = Annotated[
    Any,
    typer.Option(
        "--config",
        metavar="FILE",
        help="YAML file with `envs:` and `secrets:`, as for VAST DataEngine.",
        parser=_context,
        is_eager=True,
        show_default=False,
    ),
]


@function.command("serve")
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    config: Config = None,
    token: Annotated[
        str | None,
        typer.Option(envvar=TOKEN, help="Bearer token required from callers.", show_default=False),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            envvar=INSECURE,
            help="Accept events of any caller without a token, although other machines can reach the address.",
        ),
    ] = False,
) -> None:
    """Receive CloudEvents over HTTP and run the function on each, as the DataEngine runtime does."""
    import os

    from ..errors import SettingsError
    from ..function.local.messages import Start
    from ..function.local.runtime import run

    level, formatter = _log_to_stderr()
    # an empty variable is the same as none for the option
    token = os.environ.get(TOKEN) if token is None else token
    if token == "":
        raise SettingsError(
            "the bearer token is empty, so every caller would be admitted; set one or unset EXR_INSPECTOR_TOKEN"
        )
    if token is None and not insecure and not _is_loopback(host):
        raise SettingsError(
            f"other machines can reach {host}, so all of them could send events: set EXR_INSPECTOR_TOKEN, or allow it "
            "with --insecure if the network admits only the sender of events"
        )
    start = Start(secrets=config.secrets if config else {}, log_level=level, log_formatter=formatter)
    run(start, host=host, port=port, token=token)


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _log_to_stderr() -> tuple[int, logging.Formatter]:
    """Log to stderr as the settings say; the level and format."""
    import logging

    from ..function.local.context import JsonLines
    from ..settings import function_settings
    from .log_format import CleanFormatter

    values = function_settings()
    handler = logging.StreamHandler()
    formatter = JsonLines() if values.log_format == "json" else CleanFormatter()
    handler.setFormatter(formatter)
    logging.basicConfig(level=values.log_level, handlers=[handler])
    return logging.getLogger().level, formatter


@function.command("invoke")
def invoke(
    path: Annotated[str | None, typer.Option(help="Path of a local file.", show_default=False)] = None,
    s3: Annotated[
        str | None, typer.Option(help="s3:// URI of an object, sent as an ObjectCreated event.", show_default=False)
    ] = None,
    event: Annotated[str | None, typer.Option(help="JSON or YAML file with an event.", show_default=False)] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="Send the event to this URL as a CloudEvent instead of running the function here.", show_default=False
        ),
    ] = None,
    config: Config = None,
    token: Annotated[str | None, typer.Option(envvar=TOKEN, help="Bearer token for --url.", show_default=False)] = None,
) -> int:
    """Send one event to the function, here or at a URL, and print the result; exit with 3 if it failed."""
    import json
    import os

    from ..errors import SettingsError
    from ..sources.uris import local_path
    from .output import data_stream, print_message

    if [path, s3, event].count(None) != 2:
        raise SettingsError("give exactly one of --path, --s3 and --event")
    if event is not None:
        payload = _read_event(event)
    else:
        payload = (
            {"data": {"path": os.path.abspath(local_path(path) or path)}}
            if path is not None
            else _object_created(s3 or "")
        )
    is_rejected = False
    if url is None:
        from ..function import handle
        from ..function.local.context import LocalContext

        with _without_log():
            result: Any = handle(config or LocalContext(), payload)
    else:
        result, is_rejected = _post(url, payload, token)
    with data_stream(None, escape=True) as stream:
        stream.write(json.dumps(result, indent=2, ensure_ascii=False).encode() + b"\n")
    failed = is_rejected or (isinstance(result, dict) and result.get("status") == "error")
    if failed:
        print_message(f"exr-inspector: {_reason(result)}")
    return ExitCode.FAILED if failed else ExitCode.OK


@function.command("replay")
def replay_events(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="Events as JSON lines, or a JSON or YAML document.", show_default=False),
    ],
    config: Config = None,
) -> int:
    """Handle the events of a file here, as if they were delivered again, for example dead letters.

    Each event that is skipped, or whose files have errors, is a line on stderr. Exit code 1: events have permanent
    errors: text that is not an event, or files whose headers cannot be read; 3: events have transient errors, so
    replay the file again. Files that no longer exist are counted as gone. Incomplete files are stored, which is a
    success.
    """
    from collections import Counter

    from ..function import close_catalogs
    from ..function.local.context import LocalContext
    from ..function.local.replay import replay
    from ..inspection.value_text import plural
    from .output import print_done, print_message

    counts: Counter[str] = Counter()
    try:
        with _without_log():
            for event in replay(file, config or LocalContext()):
                status = event.status
                counts[status] += 1
                if status != "success":
                    print_message(f"{file}:{event.number}: {status}: {_reason(event.result)}")
    finally:
        close_catalogs()
    statuses = ", ".join(f"{counts[name]} {name}" for name in ("success", "skipped", "gone", "error", "pending"))
    print_done(f"{counts.total()} {plural(counts.total(), 'event')}: {statuses}")
    if counts["pending"]:
        return ExitCode.FAILED
    return ExitCode.FINDINGS if counts["error"] else ExitCode.OK


@contextmanager
def _without_log() -> Iterator[None]:
    """Print the log with --verbose only: its errors are those of the results, which are printed."""
    import logging

    logger, handler = logging.getLogger("exr_inspector"), logging.NullHandler()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _reason(result: Any) -> str:
    """The error of a result, or why it has no files, with its category."""
    if not isinstance(result, dict) or not (text := result.get("error") or result.get("message")):
        return "the function failed without a message"
    return f"{text} ({result['category']})" if "category" in result else str(text)


def _object_created(uri: str) -> dict[str, Any]:
    from ..sources.uris import bucket_and_key

    bucket, key = bucket_and_key(uri)
    record = {"eventName": "ObjectCreated:Put", "eventSource": "vast:s3"}
    record |= {"s3": {"bucket": {"name": bucket}, "object": {"key": key}}}  # type: ignore[dict-item]
    return {"data": {"Records": [record]}}


def _read_event(path: str) -> dict[str, Any]:
    from ..errors import SettingsError
    from ..function.local.context import read_yaml
    from ..sources.local import unreadable

    try:
        event = read_yaml(path)
    except OSError as error:
        raise unreadable(path, error) from None
    if not isinstance(event, dict):
        raise SettingsError(f"{path}: expected an event, a JSON object or YAML mapping")
    return event


def _post(url: str, event: Mapping[str, Any], token: str | None) -> tuple[Any, bool]:
    """Send a structured CloudEvent; the result, and whether the status of the response is an error.

    Raises SourceConnectionError if the URL is unreachable, and SettingsError if it is invalid.
    """
    import json
    import urllib.error
    import urllib.request
    from http.client import HTTPException, InvalidURL
    from uuid import uuid4

    from ..errors import SettingsError, SourceConnectionError

    if not url.startswith(("http://", "https://")):
        raise SettingsError(f"--url {url}: expected an http:// or https:// URL")
    if "specversion" not in event:
        event = {
            "specversion": "1.0", "id": str(uuid4()), "source": "exr-inspector", "type": "exr-inspector.invoke",
            "data": event,
        }  # fmt: skip
    headers = {"content-type": "application/cloudevents+json", "accept": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    body = json.dumps(event, default=str).encode()
    try:
        request = urllib.request.Request(url, body, headers)  # noqa: S310 (checked above)
        with urllib.request.urlopen(request, timeout=300) as response:  # noqa: S310
            return _result(url, response.status, response.read()), False
    except urllib.error.HTTPError as error:
        return _result(url, error.code, error.read(_MOST_BYTES)), True
    except (ValueError, InvalidURL):  # whose text may contain the token
        raise SettingsError(
            f"--url {url}: invalid, or the token has characters that no header may have; expected http://HOST:PORT/"
        ) from None
    except (OSError, HTTPException) as error:
        raise SourceConnectionError(url, f"unreachable ({getattr(error, 'reason', error)})") from None


def _result(url: str, status: int, body: bytes) -> Any:
    """The JSON of a response, or a result with its status, and with its text if that is one line."""
    import json

    text = body.decode("utf-8", "replace").strip()
    if not text and status < _ERRORS:
        return {"status": "accepted", "message": f"HTTP {status} without a result"}
    try:
        return json.loads(text)
    except ValueError:
        shown = f" ({text[:_SHOWN]})" if text and text[0] != "<" and len(text.splitlines()) == 1 else ""
        message = f"{url}: answered {status}{shown}, which is not a result of the function; expected the URL of "
        return {"status": "error", "message": f"{message}`function serve` or of a deployed function"}
