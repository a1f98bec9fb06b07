"""`nncli serve` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from nncli.cli.extras import requires_extra

Runs: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="RUN[=NAME]...", help="Run directories, each with its name in addresses.")
]
Host: TypeAlias = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="The address to listen at.")]
Port: TypeAlias = Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 is any free one.")]


def serve(runs: Runs, host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Answer prediction requests over HTTP.

    \b
    nncli serve runs/penguins
    curl localhost:8000/predict -H 'Content-Type: text/csv' --data-binary @new.csv
    """
    with requires_extra("serve"):
        from nncli.serving.options import ServerOptions
        from nncli.serving.server import serve as serve_runs

        named = [run_and_name(word) for word in runs]
        serve_runs(named, ServerOptions(host=host, port=port))


def run_and_name(word: str) -> tuple[str, Path]:
    """The name and the path of `RUN` or `RUN=NAME`."""
    path, _, name = word.rpartition("=")
    return (name, Path(path)) if path else (Path(word).resolve().name, Path(word))
