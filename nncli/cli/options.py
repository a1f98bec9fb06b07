"""The options and arguments that commands share, each worded once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nncli.api.options import AssignmentOptions, QualityOptions
from nncli.base.option import DISPLAY, INPUT, OUTPUT, Option, Options
from nncli.cli.completion import complete_config, complete_run

if TYPE_CHECKING:
    from nncli.data.sources.table_source import TableSource


def _set_verbose(value: bool) -> None:
    """Also called with False: an earlier command of this process may have switched it on."""
    from nncli.cli.console import set_verbose

    set_verbose(value)


def _set_no_color(value: bool) -> None:
    if value:
        os.environ["NO_COLOR"] = "1"  # Rich's own switch


@dataclass(frozen=True, kw_only=True)
class TargetOptions(Options):
    """The targets of a table that is given instead of a configuration."""

    target: Annotated[
        Sequence[str],
        Option("The column to predict; CONFIG is then a table. Repeatable.", INPUT, short="-t", metavar="COLUMN"),
    ] = ()


@dataclass(frozen=True, kw_only=True)
class SourceOptions(Options):
    """The options that say which table of a workbook or database is meant."""

    sheet: Annotated[str | None, Option("Sheet of a workbook, by name or number from 1.", INPUT, metavar="NAME")] = None
    range: Annotated[str | None, Option("Cells of the sheet, header included.", INPUT, metavar="B4:H200")] = None
    table: Annotated[str | None, Option("Table of a database.", INPUT, metavar="NAME")] = None
    query: Annotated[str | None, Option("Query of a database, instead of a table.", INPUT, metavar="SELECT")] = None

    def source(self, path: str | None) -> TableSource:
        """The source of an INPUT argument; None is standard input.

        Raises:
            UsageError: a table and a query are given.
        """
        from nncli.base.errors import UsageError
        from nncli.data.sources.table_source import STANDARD_INPUT, TableSource

        if self.table is not None and self.query is not None:
            raise UsageError("--table and --query exclude each other", hint="Remove one of them.")
        return TableSource(path=path or STANDARD_INPUT, **dict(self._given))

    @property
    def words(self) -> list[str]:
        """The options as command-line arguments."""
        return [word for key, value in self._given for word in (f"--{key}", value)]

    @property
    def source_assignments(self) -> list[str]:
        """The options as assignments of a configuration's keys."""
        import json

        return [f"data.{key}={json.dumps(value, ensure_ascii=False)}" for key, value in self._given]

    @property
    def _given(self) -> list[tuple[str, str]]:
        values = {"sheet": self.sheet, "range": self.range, "table": self.table, "query": self.query}
        return [(key, value) for key, value in values.items() if value is not None]


@dataclass(frozen=True, kw_only=True)
class TrainingInputOptions(QualityOptions, SourceOptions, AssignmentOptions, TargetOptions):
    """What is trained: a configuration with changes, or a table."""


@dataclass(frozen=True, kw_only=True)
class TalkOptions(Options):
    """How much is printed on stderr."""

    quiet: Annotated[bool, Option("Print only errors and warnings on stderr.", DISPLAY, short="-q")] = False
    verbose: Annotated[
        bool,
        Option("Log each stage on stderr with its duration and memory.", DISPLAY, short="-v", callback=_set_verbose),
    ] = False


@dataclass(frozen=True, kw_only=True)
class ColorOptions(Options):
    """Whether the output has colors."""

    no_color: Annotated[
        bool, Option("Disable colors, like the variable NO_COLOR.", DISPLAY, callback=_set_no_color)
    ] = False


@dataclass(frozen=True, kw_only=True)
class DisplayOptions(ColorOptions, TalkOptions):
    """How a command prints."""


CONFIG_OR_TABLE = typer.Argument(
    help="A YAML file, or - for standard input; or a table, with --target.",
    metavar="CONFIG",
    autocompletion=complete_config,
)
ConfigOrTable: TypeAlias = Annotated[str | None, CONFIG_OR_TABLE]
RequiredConfigOrTable: TypeAlias = Annotated[str, CONFIG_OR_TABLE]
RunDirectory: TypeAlias = Annotated[
    Path,
    typer.Argument(
        help="A run directory made by `nncli train`.", metavar="RUN", show_default=False, autocompletion=complete_run
    ),
]
OutputFile: TypeAlias = Annotated[
    str,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="The file to write, or - for standard output.",
        rich_help_panel=OUTPUT,
    ),
]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Replace an existing file.", rich_help_panel=OUTPUT)]
AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object.", rich_help_panel=OUTPUT)
]
JsonLines: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json", help="Print events as JSON lines: the start, each epoch and the end.", rich_help_panel=OUTPUT
    ),
]
SearchLines: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json", help="Print events as JSON lines: the start, each trial and the end.", rich_help_panel=OUTPUT
    ),
]


EXTRAS = {
    "export": ("onnx",),
    "report": ("jinja2", "markupsafe", "matplotlib"),
    "serve": ("httptools", "prometheus_client", "starlette", "uvicorn"),
}
"""The packages of each extra that a command imports."""


@contextmanager
def requires_extra(extra: str) -> Iterator[None]:
    """Translate the ImportError of a package of an extra inside the block.

    Raises:
        NncliError: a package is not installed; the hint is the command that installs the extra.
    """
    from nncli.base.errors import NncliError

    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]  # the name may be that of a module in the package
        if package not in EXTRAS[extra]:
            raise
        raise NncliError(
            f"the package {package} is not installed", hint=f"pip install 'nncli-train[{extra}]'"
        ) from error
