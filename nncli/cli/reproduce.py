"""`nncli reproduce` on the command line."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nncli.base.option import INPUT, TRAINING
from nncli.cli.console import EventPrinter, StoppedError
from nncli.cli.options import AsJson, DisplayOptions, RunDirectory

if TYPE_CHECKING:
    from nncli.analysis.reproduction.checks import Check
    from nncli.analysis.reproduction.comparison import Comparison
    from nncli.analysis.reproduction.verdict import Reproduction
    from nncli.fitting.train.events import Event

TableNow: TypeAlias = Annotated[
    str | None,
    typer.Option("--data", metavar="PATH", help="The training table, if it is elsewhere now.", rich_help_panel=INPUT),
]
ValidationNow: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--validation", metavar="PATH", help="The validation file, if it is elsewhere now.", rich_help_panel=INPUT
    ),
]
QuickEpochs: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--quick", metavar="K", help="Compare the first K epochs with history.csv only.", rich_help_panel=TRAINING
    ),
]
SHORT = 12
"""Digits of a checksum that are printed."""


def reproduce(
    *,
    run: RunDirectory,
    data: TableNow = None,
    validation: ValidationNow = None,
    quick: QuickEpochs = None,
    as_json: AsJson = False,
    display: DisplayOptions,
) -> None:
    """The table, the versions, the machine, the configuration and the files of the run are compared with what it
    records. It is then trained again in a temporary folder; weights, history, metrics and predictions are compared. The
    run is not changed.

    Exit code 0: identical to the bit. 6: the same within a tolerance. 1: it differs, or its files were changed.

    \b
    nncli reproduce runs/penguins
    nncli reproduce runs/penguins --quick 3
    nncli reproduce runs/penguins --data data/penguins-train.csv
    nncli reproduce runs/penguins --json | jq -r .sentence
    """
    import json

    # Imported deep within the call stack, Polars takes longer, see `train`.
    import polars  # noqa: F401

    from nncli.api.reproduce import reproduction_events

    printer = _ReproductionPrinter(display.quiet, run)
    events = reproduction_events(run, data=data, validation=validation, quick=quick, stop=printer.asked_to_stop)
    result = printer.run(events)
    if as_json:
        typer.echo(json.dumps(result.json(), ensure_ascii=False).encode("utf-8", "backslashreplace"))
    else:
        typer.echo(_text(result).encode("utf-8", "backslashreplace"))
    raise typer.Exit(result.exit_code)


class _ReproductionPrinter(EventPrinter):
    """Prints the progress of a training again; a signal ends it at any time."""

    def __init__(self, quiet: bool, recorded: Path) -> None:
        super().__init__(quiet)
        self._recorded = recorded

    def run(self, events: Generator[Event | Reproduction, None, None]) -> Reproduction:
        """Print the events, and return the result.

        Raises:
            StoppedError: a signal stopped the training.
        """
        from nncli.analysis.reproduction.verdict import Reproduction
        from nncli.cli.console import answer_stop_request, asked_to_stop
        from nncli.cli.progress.training_display import progress_for
        from nncli.fitting.train.events import MembersStarted, Started

        result = None
        with (
            asked_to_stop("", *(() if self.quiet else (answer_stop_request,))) as self._stop_request,
            ExitStack() as stack,
        ):
            stack.callback(events.close)
            show, progress = None, stack.enter_context(ExitStack())
            for event in events:
                if isinstance(event, Reproduction):
                    result = event
                elif isinstance(event, Started | MembersStarted):
                    self._print_estimate(event.estimate)
                    progress.close()  # of the training that is resumed for further epochs
                    show = None if self.quiet else progress_for(event, progress)
                elif show is not None:
                    show(event)
        if result is None:
            raise StoppedError(
                "stopped; nothing was compared, and the run is as it was", number=self._stop_request.number or 2
            )
        return result

    def _print_estimate(self, seconds: float | None) -> None:
        """Print how long the training takes, unless that is short."""
        from nncli.cli.console import echo_err
        from nncli.cli.train import MIN_ESTIMATE, rounded_duration

        if seconds is not None and seconds >= MIN_ESTIMATE and not self.quiet:
            echo_err(f"about {rounded_duration(seconds)}; --quick 3 compares the first three epochs")


def _text(result: Reproduction) -> str:
    """The checks, the comparisons and the verdict."""
    from nncli.base.text import escape_unprintable
    from nncli.cli.tables import prose, table

    checks = [["check", "recorded", "now"], *map(_check, _shown(result.checks))]
    compared = [["compared", "difference"], *_comparisons(result.comparisons)]
    blocks = (table(checks), table(compared), prose(result.sentence))
    return escape_unprintable("\n\n".join(blocks))


def _shown(checks: tuple[Check, ...]) -> list[Check]:
    """The checks without the files that are as they were."""
    return [check for check in checks if check.kind != "file" or check.differs]


def _check(check: Check) -> list[str]:
    """A line of the table of checks; checksums are shortened."""
    is_digest = check.kind in ("table", "configuration", "file")
    recorded, now = (
        "none" if value is None else value[:SHORT] if is_digest else value for value in (check.recorded, check.now)
    )
    if check.recorded is None:
        return [check.name, "not recorded", now]
    return [check.name, recorded, now if check.differs else "the same"]


def _comparisons(comparisons: Sequence[Comparison]) -> list[list[str]]:
    """The lines of the table of comparisons; a file that is the same for all members has one line."""
    by_name: dict[tuple[str, bool], list[Comparison]] = {}
    for one in comparisons:
        path = Path(one.file)
        by_name.setdefault((path.name, len(path.parts) > 1), []).append(one)
    lines = []
    for (name, _), group in by_name.items():
        same = [one for one in group if one.is_identical]
        if len(same) > 1:
            lines.append([f"{name} of {len(same):,} members", "none"])
        lines += [_comparison(one) for one in group if one not in same or len(same) == 1]
    return lines


def _comparison(one: Comparison) -> list[str]:
    """A line of the table of comparisons."""
    epochs = "" if one.epochs is None else f" of {one.epochs:,} epochs" if one.epochs != 1 else " of 1 epoch"
    name = f"{one.file}{epochs}"
    if one.is_identical:
        return [name, "none"]
    since = "" if one.first_epoch is None else f"from epoch {one.first_epoch:,} on, "
    if one.is_changed:
        return [name, "none from the recorded file, but the file was changed or removed since"]
    size = "not comparable" if one.difference == float("inf") else f"up to {one.difference:.1e}"
    return [name, f"{since}{size}{f' ({one.where})' if one.where else ''}"]
