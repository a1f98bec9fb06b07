"""`nncli predict` on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nncli.cli.help import INPUT, OUTPUT
from nncli.cli.options import ErrorsFile, Force, NoColor, OnError, OnInvalidCell, Quiet, RunDirectory, Verbose
from nncli.cli.source_options import CellRange, Query, Sheet, SourceOptions
from nncli.cli.uncertainty_options import (
    ByColumn,
    ClassScore,
    IntervalLevels,
    PerClass,
    ScoreOfClass,
    SetLevels,
    uncertainty,
)
from nncli.data.formats.registry import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nncli.api.prediction.options import AnswerOptions
    from nncli.api.prediction.summary import PredictionSummary
    from nncli.data.sources.output import OutputTarget
    from nncli.data.sources.table_source import TableSource


@dataclass(frozen=True)
class OtherFiles:
    """Files that are written besides the answers: invalid cells, and the profile of the rows."""

    errors: Path | None = None
    profile: Path | None = None


InputTables: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        help="Files, a folder, a pattern in quotes, a database or a URL; or - for standard input (the default).",
        metavar="INPUT",
    ),
]
OutputFileOrFolder: TypeAlias = Annotated[
    str,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="The file to write (also s3://…), a database with --table, or - for standard output. A folder (FOLDER/) "
        "gets a file for each file of INPUT.",
        rich_help_panel=OUTPUT,
    ),
]
Workers: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        help="Processes that predict a file each, if the output is a folder. Default: one for each core.",
        rich_help_panel=OUTPUT,
    ),
]
PredictionScheduler: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Predict the files on a Dask cluster, for example tcp://host:8786.",
        rich_help_panel=OUTPUT,
    ),
]
InputTableName: TypeAlias = Annotated[
    str | None,
    typer.Option("--input-table", metavar="NAME", help="Table of a database to predict.", rich_help_panel=INPUT),
]
WithProbabilities: TypeAlias = Annotated[
    bool,
    typer.Option("--proba", help="Add the probability of each class as proba_CLASS.", rich_help_panel=OUTPUT),
]
KeptColumns: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--keep",
        metavar="COLUMN",
        help="Copy a column of INPUT to the output; that of a CSV file is copied as text. Repeatable.",
        rich_help_panel=OUTPUT,
    ),
]
OutputFormat: TypeAlias = Annotated[
    Format | None,
    typer.Option("--format", help="Format of the output. Default: by its file name, else CSV.", rich_help_panel=OUTPUT),
]
AnswerTable: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--table", metavar="NAME", help="The table to write, if the output is a database.", rich_help_panel=OUTPUT
    ),
]
Append: TypeAlias = Annotated[
    bool,
    typer.Option("--append", help="Add the rows to an existing table of the database.", rich_help_panel=OUTPUT),
]
EscapeFormulas: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--escape-formulas",
        help="For spreadsheets, in CSV and TSV: put ' before text and column names that begin like a formula "
        "(= + - @, tab, line end). Plain numbers such as -3 are not changed.",
        rich_help_panel=OUTPUT,
    ),
]
ProfilePath: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--profile",
        metavar="FILE",
        help="Write the profile of the rows (.json), for nncli drift; to an existing profile they are added.",
        rich_help_panel=OUTPUT,
    ),
]


def predict(
    run: RunDirectory,
    data: InputTables = None,
    sheet: Sheet = None,
    cells: CellRange = None,
    input_table: InputTableName = None,
    query: Query = None,
    output: OutputFileOrFolder = "-",
    table: AnswerTable = None,
    append: Append = False,
    proba: WithProbabilities = False,
    keep: KeptColumns = None,
    interval: IntervalLevels = None,
    set_: SetLevels = None,
    by: ByColumn = None,
    per_class: PerClass = False,
    score: ScoreOfClass = ClassScore.LAC,
    format: OutputFormat = None,  # noqa: A002 - the name of the option
    force: Force = False,
    escape_formulas: EscapeFormulas = False,
    on_error: OnInvalidCell = OnError.FAIL,
    errors: ErrorsFile = None,
    profile: ProfilePath = None,
    workers: Workers = None,
    scheduler: PredictionScheduler = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """One row is written for each row of INPUT, in order, with the prediction of the whole model: of an ensemble, the
    mean of all members. INPUT needs the feature columns of the training table, in any order; other columns are ignored
    and the target is not needed. A note at the end counts unseen categories, values out of range and missing cells.

    --interval and --set add what is expected to hold the true value of that share of new rows. They are calibrated by
    the rows that the model, or some of its members, did not train on.
    A cell that cannot be read ends the command with exit code 4. With --on-error missing or skip it ends with 0, and
    a note counts these cells.
    If the output is a folder, each file of INPUT is predicted into a file of its own there. Files that are done are
    skipped when the command is started again, and a file that cannot be predicted does not stop the others.
    Into a database, all rows are written in one transaction, to a new table unless --force or --append is given.

    \b
    nncli predict runs/penguins new.csv -o predictions.csv --keep id --proba
    nncli predict runs/houses new.csv -o predictions.csv --interval 0.9
    nncli predict runs/penguins new.csv -o predictions.csv --on-error missing --errors bad-cells.csv
    nncli predict runs/penguins new.csv -o for-excel.csv --keep name --escape-formulas
    cat new.csv | nncli predict runs/penguins - > predictions.csv
    nncli predict runs/penguins 'new/*.parquet' -o predictions/ --workers 4
    nncli predict runs/penguins new.csv --keep id -o 'postgresql://host/shop' --table answers
    """
    from nncli.api.prediction.options import AnswerOptions
    from nncli.cli.signals import interrupt_at_once

    interrupt_at_once()
    asked = uncertainty(interval, set_, by, per_class=per_class, score=score)
    options = AnswerOptions(proba, tuple(keep or ()), on_error.value, format, escape_formulas, append, asked)
    places, files = SourceOptions(sheet, cells, input_table, query), OtherFiles(errors, profile)
    _predict(run, data, places, output, table, options, workers, scheduler, files, force=force, quiet=quiet)


def _predict(
    run: Path,
    data: Sequence[str] | None,
    places: SourceOptions,
    output: str,
    table: str | None,
    options: AnswerOptions,
    workers: int | None,
    scheduler: str | None,
    files: OtherFiles,
    *,
    force: bool,
    quiet: bool,
) -> None:
    """Predict tables into a folder, or one table into a file, a database or standard output."""
    from nncli.cli.predict_files import names_folder, predict_into_folder
    from nncli.data.sources.output import output_target
    from nncli.data.sources.table_source import STANDARD_INPUT

    sources = [places.source(path) for path in data or [STANDARD_INPUT]]
    if names_folder(output):
        _check_no_table(table, append=options.append)
        _check_no_profile(files.profile)
        predict_into_folder(run, sources, output, options, workers, scheduler, files.errors, force=force, quiet=quiet)
    else:
        source = _only(sources, workers, scheduler)
        _predict_into_one(run, source, output_target(output, table), options, files, force=force, quiet=quiet)


def _check_no_table(table: str | None, *, append: bool) -> None:
    """Raise a UsageError if options of a database are given with a folder."""
    from nncli.base.errors import UsageError

    if table is not None or append:
        option = "--append" if table is None else "--table"
        raise UsageError(f"{option} is for a database, but the output is a folder", hint=f"Remove {option}.")


def _check_no_profile(profile: Path | None) -> None:
    """Raise a UsageError if a profile is asked for with a folder."""
    from nncli.base.errors import Location, UsageError

    if profile is not None:
        raise UsageError(
            "--profile is for one output, but the output is a folder",
            location=Location(source=str(profile)),
            hint="Predict the files into one: -o answers.csv with a pattern such as 'new/*.csv' in quotes.",
        )


def _only(sources: Sequence[TableSource], workers: int | None, scheduler: str | None) -> TableSource:
    """The table that is predicted into a file; raise a UsageError if only a folder could take the answers."""
    from nncli.base.errors import UsageError

    if len(sources) > 1:
        raise UsageError(
            "several inputs, but the output is one file",
            hint="To predict each into its own file, name a folder: -o predictions/. "
            "To predict all into one, put a pattern such as 'new/*.csv' in quotes.",
        )
    if workers is not None or scheduler is not None:
        raise UsageError(
            "--workers and --scheduler are for many files, but the output is one file",
            hint="Name a folder: -o predictions/.",
        )
    return sources[0]


def _predict_into_one(
    run: Path,
    source: TableSource,
    target: OutputTarget,
    options: AnswerOptions,
    files: OtherFiles,
    *,
    force: bool,
    quiet: bool,
) -> None:
    """Predict the rows of a table into one file, one table of a database, or standard output."""
    from nncli.api.prediction.profile_file import ProfileFile, read_profile
    from nncli.api.prediction.to_file import predict_to_file
    from nncli.base.logs import log_duration
    from nncli.cli.console import announce_input, echo_err, rows
    from nncli.data.sources.output import is_database
    from nncli.fitting.calibration import conformal_predictor
    from nncli.runs.run import Run

    _check_target(source, target, files.errors, options, force=force)
    with log_duration(f"loading {run}"):
        opened = Run.open(run)
        model = opened.load_model()
        conformal = conformal_predictor(opened, model, options.uncertainty)
        profile = None if files.profile is None else ProfileFile.open(files.profile, opened, model)
    if source.is_standard_input:
        announce_input("a table")

    def print_note(note: str) -> None:
        if not quiet:
            echo_err(f"note: {note}")

    summaries: list[PredictionSummary] = []
    predict_to_file(
        model,
        source,
        target,
        options,
        force=force,
        errors=files.errors,
        on_note=print_note,
        on_summary=summaries.append,
        conformal=conformal,
        profiler=None if profile is None else profile.profiler,
    )
    if profile is not None:
        profile.add([summary.profile for summary in summaries])
        if not quiet:
            held = read_profile(profile.path, profile.profiler.reference).rows
            echo_err(
                f"{rows(sum(summary.rows for summary in summaries))} added to {profile.path}, which has {held:,} now"
            )
    for note in (note for summary in summaries for note in summary.notes(options.on_error)):
        print_note(note)
    if is_database(target) and not quiet:  # a file can be looked at, a table not as easily
        verb = "added to" if options.append else "written to"
        echo_err(f"{rows(sum(summary.rows for summary in summaries))} {verb} {target.title}")


def _check_target(
    source: TableSource, target: OutputTarget, errors: Path | None, options: AnswerOptions, *, force: bool
) -> None:
    """Raise an error before any work is done if the output or the file of errors cannot be written."""
    from nncli.base.errors import Location, UsageError
    from nncli.cli.errors_file import check_errors_file
    from nncli.cli.standard_streams import check_standard_output
    from nncli.data.formats.streams import is_stream
    from nncli.data.sources.output import check_output

    if target is None:
        check_standard_output()
    check_output(
        target,
        source,
        force=force,
        append=options.append,
        format=options.format,
        escape_formulas=options.escape_formulas,
    )
    file = target if isinstance(target, Path) else None
    if file is not None and options.format is None and not file.suffix and not is_stream(file):
        raise UsageError(
            "the file name does not tell the format",
            location=Location(source=str(file)),
            hint=f"For a file for each file of INPUT: -o {file}/. For one file: -o {file}.csv, or --format.",
        )
    if errors is not None:
        check_errors_file(errors, source, file, force=force)
