"""Commands around the function: serve it here, and send it an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

function = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Run the serverless function here.")


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(function, name="function")


Config = Annotated[
    str | None, typer.Option("--config", help="YAML file with `envs:` and `secrets:`.", show_default=False)
]


@function.command("serve")
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    config: Config = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="EXR_INSPECTOR_TOKEN", help="Bearer token that callers need.", show_default=False),
    ] = None,
) -> None:
    """Receive CloudEvents over HTTP, as the platform's runtime does."""
    import os

    from ..errors import SettingsError
    from ..function.local.context import context_of
    from ..function.local.runtime import make_app, run

    ctx = context_of(config)
    _log_to_stderr()
    # after the file, whose `envs:` may hold it
    token = os.environ.get("EXR_INSPECTOR_TOKEN") if token is None else token
    if token == "":
        raise SettingsError("the bearer token is empty, which would let everybody in; leave it out, or fill it")
    run(make_app(ctx, token=token), host=host, port=port)


def _log_to_stderr() -> None:
    import logging

    from ..function.local.context import JsonLines
    from ..settings import function_settings

    values = function_settings()
    handler = logging.StreamHandler()
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    handler.setFormatter(JsonLines() if values.log_format == "json" else text)
    logging.basicConfig(level=values.log_level, handlers=[handler])


@function.command("invoke")
def invoke(
    path: Annotated[str | None, typer.Option(help="A local file.", show_default=False)] = None,
    s3: Annotated[
        str | None, typer.Option(help="An s3:// URI: as if it had just been written.", show_default=False)
    ] = None,
    event: Annotated[str | None, typer.Option(help="A file with an event, JSON or YAML.", show_default=False)] = None,
    url: Annotated[str | None, typer.Option(help="Send it there, as a CloudEvent.", show_default=False)] = None,
    config: Config = None,
    token: Annotated[str | None, typer.Option(envvar="EXR_INSPECTOR_TOKEN", show_default=False)] = None,
) -> int:
    """Send one event to the function, here or at a URL, and print its result. Exits with 3 when it failed."""
    import json
    import os

    from ..errors import SettingsError
    from .output import data_stream

    if [path, s3, event].count(None) != 2:
        raise SettingsError("give one of --path, --s3 and --event")
    if event is not None:
        given = _from_file(event)
    else:
        given = {"data": {"path": os.path.abspath(path)}} if path is not None else _object_created(s3 or "")
    if url is None:
        from ..function import handle
        from ..function.local.context import context_of

        result: Any = handle(context_of(config), given)
    else:
        result = _post(url, given, token)
    with data_stream(None, machine=True) as stream:
        stream.write(json.dumps(result, indent=2, ensure_ascii=False).encode() + b"\n")
    return 3 if isinstance(result, dict) and result.get("status") == "error" else 0


def _object_created(uri: str) -> dict[str, Any]:
    from ..sources.uris import split_uri

    bucket, key = split_uri(uri)
    record = {"eventName": "ObjectCreated:Put", "eventSource": "vast:s3"}
    record |= {"s3": {"bucket": {"name": bucket}, "object": {"key": key}}}  # type: ignore[dict-item]
    return {"data": {"Records": [record]}}


def _from_file(path: str) -> dict[str, Any]:
    from pathlib import Path

    from ..errors import MissingExtraError, SettingsError

    try:
        import yaml
    except ModuleNotFoundError:
        raise MissingExtraError("web", "reading an event from a file") from None
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as problem:
        raise SettingsError(f"{path}: cannot be read as an event ({type(problem).__name__})") from None
    if not isinstance(found, dict):
        raise SettingsError(f"{path}: an event is a mapping")
    return found


def _post(url: str, event: Mapping[str, Any], token: str | None) -> Any:
    """The answer to a structured CloudEvent. Raises SourceConnectionError where nobody answers."""
    import json
    import urllib.error
    import urllib.request
    from uuid import uuid4

    from ..errors import SettingsError, SourceConnectionError

    if not url.startswith(("http://", "https://")):
        raise SettingsError(f"{url} is no http:// or https:// URL")
    if "specversion" not in event:
        event = {
            "specversion": "1.0", "id": str(uuid4()), "source": "exr-inspector", "type": "exr-inspector.invoke",
            "data": event,
        }  # fmt: skip
    headers = {"content-type": "application/cloudevents+json", "accept": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    body = json.dumps(event, default=str).encode()
    request = urllib.request.Request(url, body, headers)  # noqa: S310 (checked above)
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310
            text = answer.read()
            taken = {"status": "accepted", "message": f"answered {answer.status}, without a result"}
            return json.loads(text) if text.strip() else taken
    except urllib.error.HTTPError as problem:
        text = problem.read(1 << 20).decode("utf-8", "replace")
        try:
            return json.loads(text)
        except ValueError:
            return {"status": "error", "message": f"answered {problem.code}: {text.strip()}"}
    except OSError as problem:
        raise SourceConnectionError(url, f"does not answer ({getattr(problem, 'reason', problem)})") from None
