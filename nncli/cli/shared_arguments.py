"""The options and arguments that commands share, each worded once."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeAlias, TypeVar

import typer

from nncli.api.options import SourceOptions
from nncli.base.atomic_files import check_overwrite
from nncli.base.errors import Advice, InstallExtra, NncliError, in_terminal, worded
from nncli.base.option import DISPLAY, OUTPUT, CodeOptions, Option, Options
from nncli.base.text import escape_unprintable
from nncli.cli.completion import complete_config, complete_run
from nncli.cli.console import announce_input, echo_err, print_json, set_verbose

if TYPE_CHECKING:
    from nncli.api.training_input import Drafted
    from nncli.data.sources.table_source import TableSource
    from nncli.run_directory.training_rows import RowMatches


def _set_no_color(value: bool) -> None:
    if value:
        os.environ["NO_COLOR"] = "1"  # Rich's own switch


@dataclass(frozen=True, kw_only=True)
class TalkOptions(Options):
    """How much is printed on stderr."""

    quiet: Annotated[bool, Option("Print only errors and warnings on stderr.", DISPLAY, short="-q")] = False
    verbose: Annotated[
        bool,
        Option("Log each stage on stderr with its duration and memory.", DISPLAY, short="-v", callback=set_verbose),
    ] = False


@dataclass(frozen=True, kw_only=True)
class ColorOptions(CodeOptions):
    """Whether the output has colors, and files of code, which any command may need."""

    no_color: Annotated[
        bool, Option("Disable colors, like the variable NO_COLOR.", DISPLAY, callback=_set_no_color)
    ] = False


@dataclass(frozen=True, kw_only=True)
class DisplayOptions(ColorOptions, TalkOptions):
    """How a command prints."""

    def say(self, *lines: str) -> None:
        """Print lines on stderr, unless with --quiet."""
        for line in () if self.quiet else lines:
            echo_err(line)

    def note(self, *notes: str) -> None:
        """Print notes."""
        self.say(*(f"note: {worded(note, in_terminal)}" for note in notes))

    def note_draft(self, drafted: Drafted) -> None:
        """Print how the configuration that was drafted for a table can be edited."""
        self.note(f"to edit this configuration: nncli init {shlex.join(drafted.arguments)} -o config.yaml")

    def next(self, *commands: str) -> None:
        """Print commands that may follow, and the files of code that they need."""
        from nncli.base import plugins

        self.say(*(f"next: {command}" for command in commands))
        files = plugins.named_files()
        if files and plugins.TRUST not in os.environ and any(command.startswith("nncli") for command in commands):
            here = Path.cwd()
            names = [str(file.relative_to(here) if file.is_relative_to(here) else file) for file in files]
            self.note(f"these commands need {shlex.join(word for name in names for word in ('--code', name))}")


@dataclass(frozen=True, kw_only=True)
class ResultOptions(DisplayOptions):
    """How a command prints its result."""

    as_json: Annotated[bool, Option("Print the result as one JSON object.", OUTPUT, name="json")] = False

    def show(self, document: Callable[[], Mapping[str, Any]], text: Callable[[], str]) -> None:
        """Print the result on stdout, as JSON or as text."""
        if self.as_json:
            print_json(document())
        else:
            typer.echo(text().encode("utf-8", "backslashreplace"))


class _KeptResult(ResultOptions):
    """How the result of one of several targets is kept in `results`, to be printed with the others."""

    name: str
    results: list[Any]

    @classmethod
    def of(cls, display: ResultOptions, name: str, results: list[Any]) -> _KeptResult:
        """The options of `display`; notes begin with the name of the target."""
        kept = cls(**{field.name: getattr(display, field.name) for field in fields(display)})
        object.__setattr__(kept, "name", name)
        object.__setattr__(kept, "results", results)
        return kept

    def note(self, *notes: str) -> None:
        super().note(*(f"{self.name}: {note}" for note in notes))

    def show(self, document: Callable[[], Mapping[str, Any]], text: Callable[[], str]) -> None:
        self.results.append(document() if self.as_json else text())


def each_target(
    run: Path,
    display: ResultOptions,
    data: TableSource | None = None,
    *,
    to_file: bool = False,
) -> Iterator[tuple[Path, ResultOptions]]:
    """The run, or those of its targets, with how each result is printed; then they are printed.

    Raises:
        UsageError: there are several targets, and the table cannot be read again, or one file would get all results.
    """
    from nncli.run_directory.run import Run, targets_of

    targets = targets_of(run)
    if not targets:
        yield run, display
        return
    if to_file or (data is not None and data.is_standard_input):
        Run(run).check_one_target()
    results: list[Any] = []
    for name, of_target in targets.items():
        yield of_target.path, _KeptResult.of(display, name, results)
    by_name = dict(zip(targets, results, strict=False))
    if display.as_json:
        print_json({"targets": by_name})
    elif by_name:
        typer.echo(_titled(by_name))


def _titled(texts: Mapping[str, str]) -> bytes:
    """The text of each target below its name."""
    titled = (f"{(title := escape_unprintable(name))}\n{'=' * len(title)}\n\n{text}" for name, text in texts.items())
    return "\n\n".join(titled).encode("utf-8", "backslashreplace")


class _Result(Protocol):
    """The result of a command, or those for each of several targets."""

    @property
    def targets(self) -> Mapping[str, Any]: ...
    def json(self) -> Mapping[str, Any]: ...


R = TypeVar("R", bound=_Result)


def show_targets(
    display: ResultOptions,
    result: R,
    text: Callable[[R], str],
    notes: Callable[[R], Iterable[str]],
    matches: Callable[[R], RowMatches | None] = lambda _: None,
) -> None:
    """Print a result, or those of several targets, with notes and warnings; one of all targets is printed once."""
    each: Mapping[str, R] = result.targets or {"": result}

    def shared(texts: Callable[[R], Iterable[str]]) -> Iterator[str]:
        names: dict[str, list[str]] = {}
        for name, of_target in each.items():
            for line in dict.fromkeys(texts(of_target)):
                names.setdefault(line, []).append(name)
        for line, of_targets in names.items():
            yield line if len(of_targets) == len(each) else f"{', '.join(of_targets)}: {line}"

    display.note(*shared(notes))
    for warning in shared(lambda part: [] if (seen := matches(part)) is None else filter(None, [seen.warning])):
        echo_err(f"warning: {warning}")
    if display.as_json or not result.targets:
        display.show(result.json, lambda: text(result))
    else:
        typer.echo(_titled({name: text(of_target) for name, of_target in each.items()}))


def output_of_target(output: Path | None, of_target: Path, run: Path) -> Path | None:
    """The output of one of several targets: its name follows that of the file."""
    if output is None or of_target == run:
        return output
    return output.with_name(f"{output.stem}-{of_target.name}{output.suffix}")


@dataclass(frozen=True, kw_only=True)
class EventOptions(DisplayOptions):
    """How a command prints the events of trainings or of a search."""

    as_json: Annotated[
        bool, Option("Print events as JSON lines: the start, each epoch or trial, and the end.", OUTPUT, name="json")
    ] = False


@dataclass(frozen=True, kw_only=True)
class ForceOptions(Options):
    """Whether a file is replaced."""

    force: Annotated[bool, Option("Replace an existing file.", OUTPUT)] = False


@dataclass(frozen=True, kw_only=True)
class PageOptions(ForceOptions):
    """An HTML page of the result."""

    html: Annotated[
        Path | None, Option("Also write the result as an HTML page (extra report).", OUTPUT, metavar="FILE")
    ] = None

    def check(self) -> None:
        """Raise an error before any work is done if the page cannot be written."""
        if self.html is not None:
            check_overwrite(self.html, force=self.force)
            with requires_extra("report"):
                from nncli.analysis.report.page import check_html_suffix
            check_html_suffix(self.html)


def input_table(place: SourceOptions, path: str) -> TableSource:
    """The table of a TABLE argument; a note says that it is read from the terminal."""
    source = place.source(path)
    if source.is_standard_input:
        announce_input("a table")
    return source


def announce_config(config: str | None, display: DisplayOptions) -> None:
    """Notes on variables of the environment that look like nncli's, and that a configuration is typed."""
    from nncli.config.overrides import ignored_variables

    if config is not None and (note := ignored_variables(os.environ)):
        display.note(note)
    if config == "-":
        announce_input("a configuration")


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
        help="A run directory of `nncli train`.", metavar="RUN", show_default=False, autocompletion=complete_run
    ),
]

EXTRAS = {
    "report": ("jinja2", "markupsafe", "matplotlib"),
    "serve": ("h11", "prometheus_client", "starlette", "uvicorn"),
}
"""The packages of each extra that a command imports."""


@contextmanager
def requires_extra(extra: str) -> Iterator[None]:
    """Translate the ImportError of a package of an extra inside the block.

    Raises:
        NncliError: a package is not installed; the hint is the command that installs the extra.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]  # the name may be that of a module in the package
        if package not in EXTRAS[extra]:
            raise
        raise NncliError(f"the package {package} is not installed", hint=Advice(InstallExtra(extra))) from error
