"""`nncli predict` on the command line."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.api.options import PredictToFileOptions, SourceOptions
from nncli.base.errors import in_terminal
from nncli.base.option import OUTPUT, Option, Options
from nncli.cli.console import check_standard_output, echo_err, interrupt_at_once, rows
from nncli.cli.progress.status import Live, Plain, Speed, Status, Work, left, progress_of
from nncli.cli.shared_arguments import DisplayOptions, RunDirectory, input_table

if TYPE_CHECKING:
    from nncli.api.prediction.many_files.record import FilesPrediction, FilesProgress


@dataclass(frozen=True, kw_only=True)
class OutputOptions(Options):
    """Where predictions are written."""

    output: Annotated[
        str,
        Option(
            "The file to write (also s3://…), a database with --output-table, or - for standard output, the default. A "
            "folder (FOLDER/) gets a file for each file of TABLE.",
            OUTPUT,
            short="-o",
            metavar="FILE",
        ),
    ] = "-"


def predict(
    *,
    run: RunDirectory,
    data: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, a folder, a pattern in quotes, a database or a URL; or - for standard input (the default).",
            metavar="TABLE",
        ),
    ] = None,
    source: SourceOptions,
    to: OutputOptions,
    options: PredictToFileOptions,
    display: DisplayOptions,
) -> None:
    """One row is written for each row of TABLE, in order, with the prediction of the whole model: of an ensemble, the
    mean of its networks. TABLE needs the feature columns of the training table, in any order; other columns are ignored
    and the target is not needed. A note at the end counts unseen categories, values out of range and missing cells.

    --interval and --prediction-set add what is expected to hold the true value of that share of new rows. They are
    calibrated by the rows that the model, or some of its networks, did not train on.
    A cell that cannot be read ends the command with exit code 4. With --on-error missing or skip it ends with 0, and
    a note counts these cells.
    If the output is a folder, each file of TABLE is predicted into a file of its own there. Files that are done are
    skipped when the command is started again, and a file that cannot be predicted does not stop the others.
    Into a database, all rows are written in one transaction, to a new table unless --force or --append is given.

    \b
    nncli predict runs/penguins new.csv -o predictions.csv --keep id --proba
    nncli predict runs/houses new.csv -o predictions.csv --interval 0.9
    nncli predict runs/penguins new.csv -o predictions.csv --on-error missing --errors bad-cells.csv
    nncli predict runs/penguins new.csv -o for-excel.csv --keep name --escape-formulas
    cat new.csv | nncli predict runs/penguins - > predictions.csv
    nncli predict runs/penguins 'new/*.parquet' -o predictions/ --workers 4
    nncli predict runs/penguins new.csv --keep id -o 'postgresql://host/shop' --output-table predictions
    """
    import polars  # noqa: F401 - before interrupt_at_once, which replaces its signal handler

    from nncli.api.predict import WrittenPredictions, predict_to_file_with
    from nncli.data.sources.output import is_database
    from nncli.data.sources.table_source import STANDARD_INPUT

    interrupt_at_once()
    if to.output == "-":
        check_standard_output()
    sources = [input_table(source, path) for path in data or [STANDARD_INPUT]]
    with ExitStack() as stack:
        progress = FilesPrinter(stack, quiet=display.quiet)
        options = replace(options, on_note=display.note, on_progress=progress.update)
        written = predict_to_file_with(run, sources, to.output, options)
    if isinstance(written, WrittenPredictions):
        count = rows(written.summary.rows)
        if written.profiled_rows is not None:
            display.say(f"{count} added to {options.profile}, which has {written.profiled_rows:,} now")
        if is_database(written.target):  # a file can be looked at, a table not as easily
            display.say(f"{count} {'added' if options.append else 'written'} to {written.target.title}")
        return
    display.say(summary(written))
    if written.failed:
        error = written.failed[0].error
        raise typer.Exit(1 if error is None else error.exit_code)


class FilesPrinter:
    """Prints how many files are predicted, until the stack ends that, and the error of each file that failed."""

    def __init__(self, stack: ExitStack, *, quiet: bool) -> None:
        self._stack, self._quiet = stack, quiet
        self._display: Plain | Live | None = None

    def update(self, progress: FilesProgress) -> None:
        """Print the error of the latest file if it has one."""
        if self._display is None and not self._quiet:  # not before all checks: their errors are printed alone
            self._display = progress_of(FilesWork(), self._stack)
        if self._display is not None:
            self._display.update(progress)
        file = progress.latest
        if file is not None and file.error is not None:
            place = file.error.location
            name = "" if place is not None and place.source else f"{file.name}: "
            echo_err(f"error: {name}{file.error.on(in_terminal)}")


class FilesWork(Work):
    """How many files are predicted."""

    begins_at_once = ends_with_line = stays = False

    def __init__(self) -> None:
        self._speed, self._status = Speed(), Status("files", 0, 0)

    def update(self, event: FilesProgress) -> None:
        """Record the progress after a file."""
        self._speed.add(event.done + event.failed)
        ended = event.done + event.skipped + event.failed
        seconds = self._speed.seconds_left(event.total - ended) if ended < event.total else None
        failed = [(f"{event.failed:,} failed", None)] if event.failed else []
        self._status = Status("files", ended, event.total, left(seconds), ((rows(event.rows), None), *failed))

    def status(self) -> Status:
        """The files of now."""
        return self._status


def summary(result: FilesPrediction) -> str:
    """What became of the files, for example `61 of 64 files predicted, 3 failed`."""
    total, failed, before = len(result.files), len(result.failed), len(result.skipped)
    parts = [f"{total - failed:,} of {total:,} file{'s' * (total > 1)} predicted"]
    if before:
        parts.append(f"{before:,} of them before")
    if failed:
        parts.append(f"{failed:,} failed")
    if result.done:
        parts.append(rows(result.summary.rows))
    return ", ".join(parts)
