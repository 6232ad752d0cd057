"""The command deploy render."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from ..deployment.render import Target
from ..errors import SettingsError
from .assignments import assignments

deploy = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Write the manifests of a deployment.")


@deploy.command("render")
def render_manifests(
    target: Annotated[Target, typer.Option("--target", help="What the deployment runs on.", show_default=False)],
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A value of the manifests; can be repeated.", show_default=False
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", metavar="DIR", help="Write files below this folder instead of stdout."),
    ] = None,
) -> None:
    """Print the manifests of a deployment, with values that are checked. Without --set, the message names them.

    Manifests have no keys and tokens: they name the secret that has them. Existing files are replaced.
    """
    from ..deployment import render
    from .output import data_stream, print_done

    files = render(target, assignments(values, "--set", "namespace=renders"))
    if output is None:
        with data_stream(None) as stream:
            for name, text in files.items():
                stream.write(f"---\n# file: {name}\n{text}".encode())
        return
    for name, text in files.items():
        path = os.path.join(output, name)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        except OSError as error:
            raise SettingsError(f"--output {output}: {error.strerror or error}; give the path of a folder") from None
        with data_stream(path) as stream:
            stream.write(text.encode())
        print_done(path)
