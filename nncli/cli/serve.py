"""`nncli serve` on the command line."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nncli.base.option import ACCESS, ADDRESS, LIMITS
from nncli.cli.completion import complete_run
from nncli.cli.console import end_first_process_at_once
from nncli.cli.options import DisplayOptions, requires_extra

if TYPE_CHECKING:
    from nncli.serving.options import ServerOptions, Token

Runs: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN[=NAME]",
        help="Run directories, each with the name of the model in addresses. Default: the name of the directory.",
        autocompletion=complete_run,
    ),
]
Host: TypeAlias = Annotated[
    str,
    typer.Option(
        "--host", metavar="ADDRESS", help="The address to listen at; 0.0.0.0 is all.", rich_help_panel=ADDRESS
    ),
]
Port: TypeAlias = Annotated[
    int,
    typer.Option(
        "--port", metavar="PORT", min=0, max=65535, help="The port; 0 is any free one.", rich_help_panel=ADDRESS
    ),
]
ReusePort: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--reuse-port",
        help="Share the port with another server that has this option, which can then be stopped.",
        rich_help_panel=ADDRESS,
    ),
]
MaxBody: TypeAlias = Annotated[
    str,
    typer.Option(
        "--max-body", metavar="SIZE", help="Largest body of a request, for example 10MB.", rich_help_panel=LIMITS
    ),
]
MaxRows: TypeAlias = Annotated[
    int,
    typer.Option("--max-rows", metavar="N", min=1, help="Most rows of a request.", rich_help_panel=LIMITS),
]
Timeout: TypeAlias = Annotated[
    str,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        help="Longest time to receive a request, and to answer it, for example 30s.",
        rich_help_panel=LIMITS,
    ),
]
Queue: TypeAlias = Annotated[
    int,
    typer.Option(
        "--queue",
        metavar="N",
        min=1,
        help="Most requests that wait; more are refused with 503.",
        rich_help_panel=LIMITS,
    ),
]
TokenFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="Answer requests with `Authorization: Bearer TOKEN` alone, for the token in a file.",
        rich_help_panel=ACCESS,
    ),
]
Cors: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--cors",
        metavar="ORIGIN",
        help="Let pages of an origin, such as https://example.org, call the server; * is any.",
        rich_help_panel=ACCESS,
    ),
]
AccessLog: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--access-log",
        help="Write a line of JSON for each request on stderr; those of the log are JSON, too.",
        rich_help_panel=ACCESS,
    ),
]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
ORIGIN = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?")


def serve(
    *,
    runs: Runs,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    reuse_port: ReusePort = False,
    max_body: MaxBody = "10MB",
    max_rows: MaxRows = 10_000,
    timeout: Timeout = "30s",
    queue: Queue = 64,
    token_file: TokenFile = None,
    cors: Cors = None,
    access_log: AccessLog = False,
    display: DisplayOptions,
) -> None:
    """POST /predict takes JSON, CSV, JSON lines, Arrow or Parquet, and answers in the same format; GET / is a page to
    try it, and GET /docs lists all addresses. With several runs, that of /predict is the first, and each has its own
    /models/NAME/predict. A run directory that is replaced is loaded within seconds; SIGHUP loads all of them at once,
    also if clients must change. The log and the address are on stderr, the address also with --quiet.

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
        from nncli.serving.options import ServerOptions
        from nncli.serving.server import serve as serve_runs

        named = runs_and_names(runs)
        notes = _Notes(quiet=display.quiet, as_json=access_log)
        options = ServerOptions(
            host=_host(host),
            port=port,
            reuse_port=reuse_port,
            max_body=_size(max_body),
            max_rows=max_rows,
            timeout=_seconds(timeout),
            queue=queue,
            token=_token(token_file, notes),
            cors=_origin(cors),
            access_log=access_log,
        )
        _warn_of_access(options, notes)
        serve_runs(named, options, quiet=display.quiet)


def runs_and_names(words: Sequence[str]) -> list[tuple[str, Path]]:
    """The name and the path of each `RUN` or `RUN=NAME`.

    Raises:
        UsageError: a name has other characters than letters, digits and . _ -, or two models have the same name.
    """
    from nncli.base.errors import UsageError

    paths: dict[str, Path] = {}
    for word in words:
        name, path = run_and_name(word)
        if name in paths:
            raise UsageError(
                f"two models have the name {name}: {paths[name]} and {path}",
                hint=f"Give one of them another name: {shlex.quote(f'{path}={name}-2')}",
            )
        paths[name] = path
    return list(paths.items())


def run_and_name(word: str) -> tuple[str, Path]:
    """The name and the path of `RUN` or `RUN=NAME`; a path with `=` that exists is a RUN.

    Raises:
        UsageError: the name has other characters than letters, digits and . _ -.
    """
    from nncli.base.errors import UsageError
    from nncli.base.text import quote

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


def _host(host: str) -> str:
    from nncli.base.errors import UsageError
    from nncli.base.text import quote

    host = host.strip().removeprefix("[").removesuffix("]")
    if not host or re.search(r"[\s/@?#]", host):
        raise UsageError(
            f"--host: {quote(host)} is not a valid address",
            hint="For example --host 127.0.0.1, or --host 0.0.0.0 for all.",
        )
    return host


def _size(amount: str) -> int:
    """The bytes of `10MB`; a UsageError if it is not a size."""
    from nncli.base.errors import UsageError
    from nncli.base.text import quote
    from nncli.config.schema import bytes_of

    try:
        size = bytes_of(f"{amount} B" if amount.strip().isdecimal() else amount)
    except ValueError:
        size = None
    if size is None or size < 1:
        raise UsageError(
            f"--max-body: expected a size such as 10MB or 64KiB, found {quote(amount)}", hint="Try --max-body 10MB."
        )
    return int(size)


def _seconds(duration: str) -> float:
    """The seconds of `30s`; a UsageError if it is not a duration."""
    from nncli.base.errors import UsageError
    from nncli.config.schema.training import seconds_of

    try:
        return seconds_of(duration)
    except ValueError as error:
        raise UsageError(f"--timeout: {error}", hint="Try --timeout 30s.") from None


def _origin(origin: str | None) -> str | None:
    """The origin as browsers send it; a UsageError if it is not one."""
    from nncli.base.errors import UsageError
    from nncli.base.text import quote

    if origin is None or origin == "*":
        return origin
    bare = origin.rstrip("/").lower()
    if not ORIGIN.fullmatch(bare):
        raise UsageError(
            f"--cors: expected an origin such as https://example.org, or *, found {quote(origin)}",
            hint="An origin is a scheme, a host, and a port if it is not the usual one.",
        )
    return bare.removesuffix(":443" if bare.startswith("https") else ":80")


class _Notes:
    """Notes on stderr, in the form of the lines of the log."""

    def __init__(self, *, quiet: bool, as_json: bool) -> None:
        self._quiet, self._as_json = quiet, as_json

    def add(self, text: str) -> None:
        """Write a note."""
        from nncli.cli.console import echo_err
        from nncli.serving.process.log import json_line

        if not self._quiet:
            echo_err(json_line("info", f"note: {text}", time.time()) if self._as_json else f"note: {text}")


def _token(path: Path | None, notes: _Notes) -> Token | None:
    """The token in a file, with a note if others may read it."""
    if path is None:
        return None
    from nncli.serving.options import Token

    token = Token(path)
    if token.is_readable_by_others:
        notes.add(f"every user of this machine may read the token; to change that: chmod 600 {shlex.quote(str(path))}")
    return token


def _warn_of_access(options: ServerOptions, notes: _Notes) -> None:
    """A note if other machines may use the server without a token."""
    if not options.is_loopback and options.token is None:
        notes.add(f"everyone who reaches {options.host} may use the models; to change that: --token-file FILE")
