"""`nncli serve` on the command line."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from nncli.base.errors import UsageError
from nncli.base.text import quote
from nncli.cli.completion import complete_run
from nncli.cli.console import echo_err, end_first_process_at_once
from nncli.cli.shared_arguments import DisplayOptions, requires_extra
from nncli.serving.server_options import ServerOptions

Runs: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN[=NAME]",
        help="Run directories, each with the name of the model in addresses. Default: the name of the directory.",
        autocompletion=complete_run,
    ),
]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def serve(*, runs: Runs, options: ServerOptions, display: DisplayOptions) -> None:
    """POST /predict takes JSON, CSV or JSON lines, and responds in the same format; GET / is a page with a form, and
    GET /docs documents all endpoints. With several runs, /predict is that of the first, and each has
    /models/NAME/predict. A run directory that is replaced is loaded within seconds; SIGHUP loads all of them at once,
    also if the columns of a model change. The log and the address are on stderr, the address also with --quiet.

    Ctrl-C or SIGTERM ends the server with code 0 once all requests are answered, or with 1 if some were not within
    --timeout; a second one ends it at once, with code 130 or 143.

    \b
    nncli serve runs/penguins
    nncli serve runs/penguins runs/houses-2=houses --port 8080
    nncli serve runs/penguins --host 0.0.0.0 --token-file token.txt --access-log
    curl localhost:8000/predict -H 'Content-Type: text/csv' --data-binary @new.csv
    curl localhost:8000/predict -H 'Content-Type: application/json' -d '{"island": "Dream", "year": 2008}'
    """
    end_first_process_at_once()  # until the server handles signals itself
    with requires_extra("serve"):
        from nncli.serving.process.log import json_line
        from nncli.serving.server import serve as serve_runs

        named = runs_and_names(runs)
        if not display.quiet:
            for note in options.access_notes():
                echo_err(json_line("info", f"note: {note}", time.time()) if options.access_log else f"note: {note}")
        serve_runs(named, options, quiet=display.quiet)


def runs_and_names(words: Sequence[str]) -> list[tuple[str, Path]]:
    """The name and the path of each `RUN` or `RUN=NAME`; those of several targets follow the name of their run.

    Raises:
        UsageError: a name has other characters than letters, digits and . _ -, or two models have the same name.
    """
    from nncli.run_directory.run import targets_of

    paths: dict[str, Path] = {}
    for word in words:
        run_name, run = run_and_name(word)
        targets = targets_of(run).values()
        named = [(f"{run_name}-{of_target.path.name}", of_target.path) for of_target in targets] or [(run_name, run)]
        for name, path in named:
            if name in paths:
                raise UsageError(
                    f"two models have the name {name}: {paths[name]} and {path}",
                    hint=f"Give one of them another name: {shlex.quote(f'{run}={run_name}-2')}",
                )
            paths[name] = path
    return list(paths.items())


def run_and_name(word: str) -> tuple[str, Path]:
    """The name and the path of `RUN` or `RUN=NAME`; a path with `=` that exists is a RUN.

    Raises:
        UsageError: the name has other characters than letters, digits and . _ -.
    """
    path, _, name = word.rpartition("=")
    if not path or Path(word).exists():
        path, name = word, Path(word).resolve().name
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{quote(name)} cannot be the name of a model",
            hint="A name has letters, digits, and after the first also . _ or -, for example: "
            + shlex.quote(f"{path}=model"),
        )
    return name, Path(path)
