"""The options of every operation: its keywords in Python, its options on the command line, its parameters in addresses.

The order of the bases of a class is the reverse of that of its options.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from nncli.analysis.drift_limits import LIMIT
from nncli.base.errors import Advice, Location, RunCommand, UsageError, UseOption, in_python, output_to
from nncli.base.option import (
    ADVANCED,
    GOAL,
    INPUT,
    OUTPUT,
    SEARCH,
    TRAINING,
    CodeOptions,
    Option,
    Options,
    declared_options,
)
from nncli.base.text import quote
from nncli.base.time_limit import TimeLimit
from nncli.data.formats.registry import FileOptions
from nncli.models.conformal.uncertainty_options import UncertaintyOptions

if TYPE_CHECKING:
    from nncli.base.findings import Finding
    from nncli.data.sources.table_source import TableLocation, TableSource
    from nncli.fitting.training_call import TrainingCall
    from nncli.models.ensemble import AnyModel
else:
    TableLocation = str  # what a word of the command line is read as

OnError: TypeAlias = Literal["fail", "missing", "skip"]
"""What happens to a cell that cannot be read: an error, a missing cell, or its row is left out."""
Quality: TypeAlias = Literal["fast", "balanced"]
Preset: TypeAlias = Literal["tabular", "textbook"]
OnNote: TypeAlias = Callable[[str], object]


def never() -> bool:
    """What stops no training."""
    return False


def ignore(*values: object) -> None:
    """Called with what nobody asked for."""


@dataclass(frozen=True, kw_only=True)
class InvalidCellOptions(CodeOptions):
    """What happens to cells that cannot be read."""

    on_error: Annotated[
        OnError,
        Option("A cell that cannot be read as a number or date: fail, treat it as missing, or skip its row.", INPUT),
    ] = "fail"

    @property
    def fails(self) -> bool:
        """Whether a cell that cannot be read is an error."""
        return self.on_error == "fail"

    @property
    def skips(self) -> bool:
        """Whether the row of a cell that cannot be read is left out."""
        return self.on_error == "skip"


MISSING_OR_SKIP = Advice(
    InvalidCellOptions.use("on_error", "missing"), " or ", InvalidCellOptions.use("on_error", "skip")
)
"""What leaves invalid cells out."""


@dataclass(frozen=True, kw_only=True)
class ErrorsOptions(InvalidCellOptions):
    """What happens to cells that cannot be read, and where they are written."""

    errors: Annotated[
        str | Path | None,
        Option(
            "With --on-error missing or skip: write these cells to a CSV with row, column, value and reason.",
            OUTPUT,
            metavar="FILE",
        ),
    ] = None

    @property
    def errors_file(self) -> Path | None:
        """The file of the invalid cells.

        Raises:
            UsageError: every invalid cell is an error, which leaves nothing to write.
        """
        if self.errors is None:
            return None
        path = Path(self.errors)
        if self.fails:
            raise UsageError(
                "a file of errors needs cells that are not errors",
                location=Location(source=str(path)),
                hint=Advice("Add ", MISSING_OR_SKIP, "."),
            )
        return path


def _times(flag: str, text: str) -> tuple[float, ...]:
    """The times of `30,90`."""
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise UsageError(f"{flag} {quote(text)} is no list of times", hint="For example 30,90.") from None


MAX_TIMES = 100
"""Times at which curves are asked for at once."""


@dataclass(frozen=True, kw_only=True)
class OutputColumns(Options):
    """The columns of predictions besides the predictions."""

    proba: Annotated[
        bool,
        Option(
            "Add the probability of each class or label as proba_CLASS, and of a time to an event the survival curve.",
            OUTPUT,
            http="Adds the probability of each class or label as proba_CLASS, or the survival curve as survival_TIME.",
            needs="probabilities",
        ),
    ] = False
    at: Annotated[
        Sequence[float] | float,
        Option(
            "Add the probability that the event is after these times as survival_TIME.",
            OUTPUT,
            metavar="30,90",
            parse=_times,
            http="Adds the probability that the event is after each of these times as survival_TIME, such as at=30,90.",
            needs="curve",
        ),
    ] = ()
    flag_unusual: Annotated[
        bool,
        Option(
            "Add the column unusual: the names of the columns whose cell is unlike those of all training rows.",
            OUTPUT,
            http="Adds unusual: the names of the columns whose cell is unlike those of all training rows, such as a "
            "number out of their range or an unseen category.",
        ),
    ] = False
    keep: Annotated[
        Sequence[str],
        Option(
            "Copy a column of TABLE to the output; that of a CSV file is copied as text. Repeatable.",
            OUTPUT,
            metavar="COLUMN",
        ),
    ] = ()

    @property
    def times(self) -> tuple[float, ...]:
        """The times of `at`.

        Raises:
            UsageError: they are no numbers from 0 on, or too many.
        """
        times = tuple(self.at) if isinstance(self.at, Iterable) else (self.at,)
        flag, hint = OutputColumns.use("at"), "Write numbers from 0 on."
        if isinstance(self.at, str):
            raise UsageError(Advice(flag, f": {self.at!r} is no list of times"), hint=hint)
        if len(times) > MAX_TIMES:
            raise UsageError(Advice(flag, f" has {len(times):,} times, and at most {MAX_TIMES} are possible"))
        for time in times:
            if not (isinstance(time, Real) and 0.0 <= time < float("inf")):
                shown = f"{time:g}" if isinstance(time, Real) else repr(time)
                raise UsageError(Advice(flag, f": {shown} is not a time"), hint=hint)
        return times

    def check_columns(self, model: AnyModel) -> None:
        """Raise a UsageError if probabilities or times are asked for that the model does not have."""
        if self.proba:
            model.spec.target.require("probabilities", OutputColumns.use("proba"))
        if self.times:
            model.spec.target.require("curve", OutputColumns.use("at"))


@dataclass(frozen=True, kw_only=True)
class NoteOptions(Options):
    """What is called with notes."""

    on_note: Annotated[
        OnNote | None, Option("Called with notes on how the table was read, and on unexpected values.")
    ] = None

    def note(self, *texts: str) -> None:
        """Call `on_note`, if there is one, with each text."""
        for text in texts:
            if self.on_note is not None:
                self.on_note(text.spelled(in_python) if isinstance(text, Advice) else text)


@dataclass(frozen=True, kw_only=True)
class PredictOptions(NoteOptions, ErrorsOptions, UncertaintyOptions, OutputColumns):
    """The options of `nncli.predict`."""


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(ErrorsOptions, UncertaintyOptions):
    """The options of `nncli.evaluate`."""


@dataclass(frozen=True, kw_only=True)
class BatchOptions(Options):
    """How rows are divided into batches: so many rows in the order of the table, or those of a value of a column."""

    every: Annotated[int | None, Option("Compare batches of N rows.", INPUT, metavar="N")] = None
    by: Annotated[
        str | None,
        Option("Compare the rows of each value of a column, which itself is not compared.", INPUT, metavar="COLUMN"),
    ] = None


@dataclass(frozen=True, kw_only=True)
class DriftOptions(NoteOptions, InvalidCellOptions, BatchOptions):
    """The options of `nncli.drift`."""

    limit: Annotated[
        float,
        Option(
            "The population stability index, beyond what is expected by chance, from which a difference is drift.",
            OUTPUT,
            metavar="PSI",
        ),
    ] = LIMIT


@dataclass(frozen=True, kw_only=True)
class WriteOptions(PredictOptions, ErrorsOptions, FileOptions, UncertaintyOptions, OutputColumns):
    """What is predicted for a table, and how it is written."""


@dataclass(frozen=True, kw_only=True)
class PredictFilesOptions(WriteOptions):
    """The options of `nncli.predict_files`."""

    workers: Annotated[
        int | Literal["auto"],
        Option(
            "Processes that predict a file each, if the output is a folder. Default: one for each core.",
            OUTPUT,
            metavar="N",
            minimum=1,
        ),
    ] = "auto"
    scheduler: Annotated[
        str | None,
        Option("Predict the files on a Dask cluster, for example tcp://host:8786.", ADVANCED, metavar="ADDRESS"),
    ] = None
    on_progress: Annotated[
        Callable[[Any], object], Option("Called with a FilesProgress at the beginning and after each file.")
    ] = ignore


@dataclass(frozen=True, kw_only=True)
class PredictToFileOptions(PredictFilesOptions):
    """The options of a prediction into one file, one table of a database, standard output, or a folder."""

    output_table: Annotated[
        str | None, Option("The table to write, if the output is a database.", OUTPUT, metavar="NAME")
    ] = None
    append: Annotated[bool, Option("Add the rows to an existing table of the database.", OUTPUT)] = False
    profile: Annotated[
        str | Path | None,
        Option(
            "Write the profile of the rows (.json), for nncli drift; to an existing profile they are added.",
            OUTPUT,
            metavar="FILE",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class SourceOptions(Options):
    """Which table of a workbook or database is meant, and how a CSV file is read."""

    sheet: Annotated[str | None, Option("Sheet of a workbook, by name or number from 1.", INPUT, metavar="NAME")] = None
    range: Annotated[str | None, Option("Cells of the sheet, header included.", INPUT, metavar="B4:H200")] = None
    table: Annotated[str | None, Option("Table of a database.", INPUT, metavar="NAME")] = None
    query: Annotated[str | None, Option("Query of a database, instead of a table.", INPUT, metavar="SELECT")] = None
    quote: Annotated[
        Literal["double", "none"] | None,
        Option(
            "Quotes in a CSV file. double: around cells, also those of several lines that look like rows. none: "
            "characters.",
            INPUT,
        ),
    ] = None

    def source(self, path: str | None) -> TableSource:
        """The source of a TABLE argument; None is standard input.

        Raises:
            UsageError: a table and a query are given.
        """
        from nncli.data.sources.table_source import STANDARD_INPUT, TableSource

        if self.table is not None and self.query is not None:
            table, query = SourceOptions.use("table"), SourceOptions.use("query")
            raise UsageError(Advice(table, " and ", query, " exclude each other"), hint="Remove one of them.")
        return TableSource(path=path or STANDARD_INPUT, **dict(self._given))

    @property
    def words(self) -> list[str]:
        """The options as command-line arguments."""
        return [word for key, value in self._given for word in (f"--{key}", value)]

    @property
    def source_assignments(self) -> list[str]:
        """The options as assignments of a configuration's keys."""
        return [f"data.{key}={json.dumps(value, ensure_ascii=False)}" for key, value in self._given]

    @property
    def _given(self) -> list[tuple[str, str]]:
        values = {
            "sheet": self.sheet,
            "range": self.range,
            "table": self.table,
            "query": self.query,
            "quote": self.quote,
        }
        return [(key, value) for key, value in values.items() if value is not None]


@dataclass(frozen=True, kw_only=True)
class AssignmentOptions(CodeOptions):
    """Overrides of a configuration."""

    set: Annotated[
        Sequence[str],
        Option(
            "Override a key, for example --set optimizer.type=adam. Repeatable.",
            INPUT,
            metavar="KEY=VALUE",
            completion="assignment",
        ),
    ] = ()

    @property
    def set_words(self) -> list[str]:
        """The files of code and the overrides as command-line arguments."""
        files = [word for file in self.code if not isinstance(file, type) for word in ("--code", str(file))]
        return [*files, *(word for text in self.set for word in ("--set", text))]


@dataclass(frozen=True, kw_only=True)
class TableOptions(AssignmentOptions):
    """How the table of a training is read."""

    on_error: Annotated[
        OnError | None,
        Option(
            "A cell that is no number or date as most of its column: fail, treat it as missing, or skip its row. "
            "Default: words among numbers are missing if they are fewer than 1 %, or one or two that repeat.",
            INPUT,
        ),
    ] = None

    @property
    def assignments(self) -> list[str]:
        """All options as assignments of a configuration's keys."""
        return [*self.set, *([] if self.on_error is None else [f"data.on_error={self.on_error}"])]


@dataclass(frozen=True, kw_only=True)
class KeyOptions(TableOptions):
    """Keys of a configuration that are options of their own."""

    drop: Annotated[Sequence[str], Option("Do not use a column. Repeatable.", INPUT, metavar="COLUMN")] = ()
    seed: Annotated[int | None, Option("Seed of the random numbers. Default: 0.", TRAINING, metavar="N", minimum=0)] = (
        None
    )

    @property
    def assignments(self) -> list[str]:
        """As of other operations, and these keys; a column is dropped besides those of the configuration."""
        drop = [f"data.drop+={json.dumps(self.drop, ensure_ascii=False)}"] if self.drop else []
        return [*super().assignments, *drop, *([] if self.seed is None else [f"seed={self.seed}"])]

    @property
    def key_words(self) -> list[str]:
        """These options as command-line arguments."""
        drop = [word for name in self.drop for word in ("--drop", name)]
        return [*drop, *([] if self.seed is None else ["--seed", str(self.seed)])]


@dataclass(frozen=True, kw_only=True)
class QualityOptions(Options):
    """The level of the preset tabular: training time against accuracy."""

    quality: Annotated[
        Quality | None,
        Option("fast: an ensemble of 4, trained less; balanced: of up to 8 (default).", TRAINING),
    ] = None


@dataclass(frozen=True, kw_only=True)
class HeadOptions(TableOptions):
    """The options of `nncli.head`."""

    rows: Annotated[int, Option("Number of rows to show.", OUTPUT, short="-n", metavar="N", minimum=0)] = 5
    columns: Annotated[int, Option("Number of columns to show at most.", OUTPUT, metavar="N", minimum=1)] = 1_000


@dataclass(frozen=True, kw_only=True)
class InitOptions(KeyOptions, QualityOptions):
    """The options of `nncli.init`."""

    preset: Annotated[
        Preset | None,
        Option("tabular: the best in our benchmarks (default); textbook: a plain network.", TRAINING),
    ] = None
    output: Annotated[
        str | Path | None,
        Option("The file to write. Default: standard output, in Python none.", OUTPUT, short="-o", metavar="FILE"),
    ] = None
    force: Annotated[bool, Option("Replace an existing file.", OUTPUT)] = False

    @property
    def assignments(self) -> list[str]:
        """As of other operations, and the files of code: the configuration names them."""
        files = [str(Path(file).resolve()) for file in self.code if not isinstance(file, type)]
        return [*([f"code={json.dumps(files)}"] if files else []), *super().assignments]


@dataclass(frozen=True, kw_only=True)
class ConfigShowOptions(QualityOptions, AssignmentOptions):
    """The options of `nncli config show`."""

    resolved: Annotated[
        bool, Option("Read the table and replace auto, null and inferred columns by their values.", OUTPUT)
    ] = False


@dataclass(frozen=True, kw_only=True)
class TargetOptions(Options):
    """The targets of a table that is given instead of a configuration."""

    target: Annotated[
        str | Sequence[str],
        Option("The column to predict; CONFIG is then a table. Repeatable.", INPUT, short="-t", metavar="COLUMN"),
    ] = ()


@dataclass(frozen=True, kw_only=True)
class TrainingInputOptions(QualityOptions, SourceOptions, KeyOptions, TargetOptions):
    """What is trained: a configuration with changes, or a table."""

    on_draft: Annotated[
        Callable[[Any], object],
        Option("Called with a Drafted (arguments and findings) if a configuration is drafted for a table."),
    ] = ignore

    def arguments(self, config: str) -> tuple[str, ...]:
        """The equivalent command-line arguments."""
        targets = [word for name in self.target for word in ("--target", name)]
        quality = [] if self.quality is None else ["--quality", self.quality]
        on_error = [] if self.on_error is None else ["--set", f"data.on_error={self.on_error}"]
        return (config, *self.words, *targets, *quality, *self.key_words, *self.set_words, *on_error)


@dataclass(frozen=True, kw_only=True)
class CheckOptions(TrainingInputOptions):
    """The options of `nncli.check`."""

    on_stage: Annotated[Callable[[str], None], Option("Called with a line of text for each stage.")] = ignore


def _row_numbers(flag: str, text: str) -> tuple[int, ...]:
    """The numbers of `1,5`."""
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise UsageError(f"{flag} {quote(text)} is no list of row numbers", hint="For example 1,5.") from None


@dataclass(frozen=True, kw_only=True)
class TraceOptions(TrainingInputOptions):
    """The options of `nncli.trace`."""

    rows: Annotated[
        Sequence[int] | None,
        Option(
            "Take the step on these rows, numbered from 1 in the table. Default: the batch of the training.",
            INPUT,
            metavar="1,5",
            parse=_row_numbers,
        ),
    ] = None
    step: Annotated[
        int | None,
        Option(
            "The step of the training, from 1. Default: the first, and for a RUN the one after its last checkpoint.",
            INPUT,
            metavar="N",
            minimum=1,
        ),
    ] = None
    all: Annotated[
        bool,
        Option(
            "All numbers of matrices that are shown by their norm, with differences of up to 2,000 numbers of each.",
            OUTPUT,
        ),
    ] = False
    html: Annotated[
        str | Path | None,
        Option("Also write a page with a slider over the steps of the training.", OUTPUT, metavar="FILE"),
    ] = None
    force: Annotated[bool, Option("Replace an existing file.", OUTPUT)] = False


@dataclass(frozen=True, kw_only=True)
class StopOptions(Options):
    """What stops a training."""

    stop: Annotated[
        Callable[[], bool],
        Option(
            "Called after every batch, or a few times a second; once it returns True, everything is saved and ends."
        ),
    ] = never


@dataclass(frozen=True, kw_only=True)
class ReplaceOptions(Options):
    """Whether a new run may replace that of its name."""

    output: str | Path | None = None  # declared by each operation, which says what the default is
    force: Annotated[bool, Option("Replace an existing run.", OUTPUT)] = False

    def new_directory(self, default: str | Path) -> Path:
        """The run directory to create. A `default` that exists gets a number, unless it is replaced.

        Raises:
            UsageError: there is an `output` that exists, or cannot be the path of a run.
        """
        from nncli.run_directory.run import check_new_directory, check_run_name

        path = Path(self.output or default)
        if self.output or self.force:
            check_new_directory(path, force=self.force)
        check_run_name(path)
        return path


@dataclass(frozen=True, kw_only=True)
class ClusterOptions(StopOptions):
    """Where networks are trained."""

    scheduler: Annotated[
        str | None,
        Option("Train on a Dask cluster, for example tcp://host:8786.", ADVANCED, metavar="ADDRESS"),
    ] = None


@dataclass(frozen=True, kw_only=True)
class ResumableOptions(ReplaceOptions, ClusterOptions, TrainingInputOptions):
    """The options of an operation that begins with a configuration or a table, or goes on with what was stopped.

    With `resume` only the options in `may_change` may be given, and those that are no option of the command line.
    """

    command: ClassVar[str]
    may_change: ClassVar[tuple[str, ...]] = ("scheduler",)

    resume: Annotated[
        str | Path | None,
        Option("Resume a run that was stopped or killed.", INPUT, metavar="RUN", completion="run"),
    ] = None

    def training_call(self, command: Sequence[str] = (), findings: Sequence[Finding] = ()) -> TrainingCall:
        """What a training is started with; `findings` precede its own."""
        from nncli.fitting.training_call import TrainingCall

        return TrainingCall(command, self.stop, self.scheduler, findings, self.force)

    def check_input(self, config: object) -> None:
        """Check that there is either a configuration or something to resume, the latter without what it keeps.

        Raises:
            UsageError: there is neither or both, or an option that only a new one takes.
        """
        options = {declared.field: declared for declared in declared_options(type(self)) if declared.option.panel}
        folder, use = options.pop("resume").option.metavar, type(self).use
        resume = use("resume", placeholder=folder)
        del options["code"]
        if self.resume is None:
            if config is None:
                target = UseOption("target", "target", placeholder="COLUMN")
                hint = Advice("For a table: ", RunCommand(self.command, ("TABLE",), (target,)))
                raise UsageError(Advice(f"{self.command} needs a CONFIG, or ", resume), hint=hint)
            return
        if config is not None:
            message = Advice(use("resume"), f" uses the configuration in {folder}")
            raise UsageError(message, hint=f"Remove {quote(str(config))}.")
        for declared in options.values():
            if declared.field not in self.may_change and getattr(self, declared.field) != declared.default:
                *others, last = (use(name) for name in self.may_change)
                listed = [part for option in others for part in (", ", option)]
                raise UsageError(
                    Advice(
                        *(use("resume"), f" keeps the settings of {folder}; what may change is "),
                        *(*listed[1:], " and " if others else "", last),
                    ),
                    hint=Advice("Remove ", output_to() if declared.field == "output" else use(declared.field), "."),
                )


@dataclass(frozen=True, kw_only=True)
class TrackOptions(Options):
    """Where metrics are written to besides the run directory."""

    track: Annotated[
        Sequence[str],
        Option(
            "Also write the metrics to tensorboard[=DIR] or mlflow[=URI]. Repeatable.",
            ADVANCED,
            metavar="TRACKER",
            completion="tracker",
        ),
    ] = ()


@dataclass(frozen=True, kw_only=True)
class PrivateOptions(Options):
    """Whether the run that is written is private."""

    private: Annotated[
        bool,
        Option(
            "At the end remove rows, rare categories and paths from the run, as `nncli share` does; after a search "
            "from the run of its best configuration.",
            OUTPUT,
        ),
    ] = False


@dataclass(frozen=True, kw_only=True)
class TrainOptions(TrackOptions, PrivateOptions, ResumableOptions):
    """The options of `nncli.train`. A time limit begins when they are made."""

    command = "train"
    may_change = ("set", "scheduler", "track", "private")

    time_limit: Annotated[
        float | str | TimeLimit | None,
        Option("Train the best model there is time for, for example 60s, 5m or 1h.", TRAINING, metavar="DURATION"),
    ] = None
    output: Annotated[
        str | Path | None,
        Option("The run directory to create. Default: runs/NAME.", OUTPUT, short="-o", metavar="RUN"),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "time_limit", begun(self.time_limit))


def begun(limit: float | str | TimeLimit | None) -> TimeLimit | None:
    """The time limit, from now on unless it has begun.

    Raises:
        UsageError: it is no duration.
    """
    if limit is None or isinstance(limit, TimeLimit):
        return limit
    from nncli.config.schema.training import seconds_of

    try:
        return TimeLimit(seconds_of(limit))
    except ValueError as error:
        raise UsageError(f"the time limit: {error}", hint="For example 60s, 5m or 1h.") from error


@dataclass(frozen=True, kw_only=True)
class CrossValidateOptions(PrivateOptions, ResumableOptions):
    """The options of `nncli.cross_validate`."""

    command = "cross-validate"

    resume: Annotated[
        str | Path | None,
        Option("Resume a cross-validation that was stopped or killed.", INPUT, metavar="DIR", completion="run"),
    ] = None
    folds: Annotated[int, Option("Number of folds.", TRAINING, metavar="K")] = 5
    repeats: Annotated[int, Option("Repetitions with other folds.", TRAINING, metavar="R")] = 1
    output: Annotated[
        str | Path | None,
        Option("The directory to create. Default: runs/NAME-cv.", OUTPUT, short="-o", metavar="DIR"),
    ] = None


@dataclass(frozen=True, kw_only=True)
class TuneOptions(TrackOptions, PrivateOptions, ResumableOptions):
    """The options of `nncli.tune`."""

    command = "tune"
    may_change = ("trials", "time_limit", "workers", "scheduler", "track")

    resume: Annotated[
        str | Path | None,
        Option(
            "Resume a search that was stopped or killed, or go on with more --trials.",
            INPUT,
            metavar="DIR",
            completion="search",
        ),
    ] = None
    search: Annotated[
        Sequence[str],
        Option(
            "Values that a key may take: learning_rate=1e-4..1e-1:log, l2=0..0.1, batch_size=32,64. Repeatable. "
            "It adds to tune.search, or replaces a key of it. Without that section only these keys are searched.",
            SEARCH,
            metavar="KEY=RANGE",
            completion="key",
        ),
    ] = ()
    trials: Annotated[
        int | None,
        Option("Number of trials, besides the first. Default: 30.", SEARCH, metavar="N", minimum=1),
    ] = None
    time_limit: Annotated[
        str | float | None,
        Option(
            "Begin no trial after this time, for example 30m or 2h. Trials that have begun run to their end.",
            SEARCH,
            metavar="DURATION",
        ),
    ] = None
    folds: Annotated[
        int | str | None,
        Option(
            "Number of folds that score each trial, or holdout for the validation rows. Default: 5.",
            SEARCH,
            metavar="K|holdout",
        ),
    ] = None
    metric: Annotated[
        str | None,
        Option(
            "The metric that is optimized. Default: that of the configuration.",
            SEARCH,
            metavar="METRIC",
            completion="metric",
        ),
    ] = None
    sampler: Annotated[
        str | None,
        Option(
            "How values are chosen: gp needs PyTorch. Default: tpe.",
            SEARCH,
            choices=("tpe", "random", "gp", "grid", "cmaes"),
        ),
    ] = None
    lag: Annotated[
        int | None,
        Option(
            "At most L trials at a time: trial t is proposed from trials 0 … t − L. Default: 4.",
            SEARCH,
            metavar="L",
            minimum=1,
        ),
    ] = None
    prune: Annotated[
        bool | None, Option("Train every trial on all folds.", SEARCH, name="no_prune", is_negated=True)
    ] = None
    workers: Annotated[
        int | Literal["auto"] | None,
        Option(
            "Number of trainings at a time, which does not change the result. Default: the key workers.",
            TRAINING,
            metavar="N",
            minimum=1,
        ),
    ] = None
    output: Annotated[
        str | Path | None,
        Option("The directory to create. Default: runs/NAME-tune.", OUTPUT, short="-o", metavar="DIR"),
    ] = None

    @property
    def settings(self) -> dict[str, object]:
        """The values of keys of the section `tune`; None is that of the configuration."""
        names = ("trials", "time_limit", "folds", "metric", "sampler", "lag", "prune")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class DistillOptions(PrivateOptions, ReplaceOptions, StopOptions, AssignmentOptions):
    """The options of `nncli.distill`."""

    units: Annotated[int, Option("Units of each of the two layers.", TRAINING, metavar="N")] = 64
    output: Annotated[
        str | Path | None,
        Option(
            "The run directory to create. Default: that of RUN with -student at its end.",
            OUTPUT,
            short="-o",
            metavar="RUN",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class ReproduceOptions(StopOptions, CodeOptions):
    """The options of `nncli.reproduce`."""

    data: Annotated[
        TableLocation | None, Option("The training table, if it is elsewhere now.", INPUT, metavar="TABLE")
    ] = None
    validation: Annotated[
        TableLocation | None, Option("The validation file, if it is elsewhere now.", INPUT, metavar="TABLE")
    ] = None
    quick: Annotated[int | None, Option("Compare the first K epochs with history.csv only.", TRAINING, metavar="K")] = (
        None
    )


@dataclass(frozen=True, kw_only=True)
class DiagnoseOptions(CodeOptions):
    """What a diagnosis looks at."""

    rates: Annotated[
        bool, Option("Try learning rates in short trainings from the first weights, at most some 20 seconds.", TRAINING)
    ] = False
    tries: Annotated[
        bool,
        Option(
            "Train with each remedy on the same folds, at most some two minutes each, and print what it does to the "
            "score.",
            TRAINING,
            name="try",
        ),
    ] = False


@dataclass(frozen=True, kw_only=True)
class ExplainOptions(InvalidCellOptions):
    """The options of `nncli.explain`."""

    rows: Annotated[
        int | None,
        Option(
            "Use at most N rows, sampled with the run's seed. [default: 5000, fewer for large networks; with "
            "--attributions 1000]",
            INPUT,
            metavar="N",
        ),
    ] = None
    permutations: Annotated[int, Option("Permutations of each column.", INPUT, metavar="N")] = 5
    class_label: Annotated[
        str | None,
        Option(
            "With --attributions or up to 5 rows: the class whose probability is explained. Default: the second of "
            "two classes, or each row's predicted class.",
            OUTPUT,
            name="class",
            metavar="LABEL",
        ),
    ] = None
    target: Annotated[
        str | None,
        Option(
            "With --attributions or up to 5 rows: the target or the label whose prediction is explained, of several. "
            "Default: the first target, or the most probable label.",
            OUTPUT,
            metavar="COLUMN",
        ),
    ] = None
    top: Annotated[
        int,
        Option(
            "Show the partial dependence on the N most important columns; of up to 5 rows, the N columns that "
            "contribute most.",
            OUTPUT,
            metavar="N",
        ),
    ] = 6
    attributions: Annotated[bool, Option("Attribute the predictions of single rows to their columns.")] = False
    on_progress: Annotated[
        Callable[[str, int, int], object],
        Option("Called with the name of a step, how many parts of it are done, and how many there are."),
    ] = ignore


def _costs(flag: str, text: str) -> tuple[float, float]:
    """The two costs of `fp=1,fn=20`."""
    try:
        pairs = [part.split("=") for part in text.split(",")]
        costs = {name.strip(): float(value) for name, value in pairs}
        if len(pairs) != 2:
            raise ValueError(text)
        return costs["fp"], costs["fn"]
    except (ValueError, KeyError):
        raise UsageError(
            f"{flag} {quote(text)} is not of the form fp=1,fn=20",
            hint="fp is the cost of a row that is predicted as positive and is not, fn that of one that is missed.",
        ) from None


@dataclass(frozen=True, kw_only=True)
class ThresholdOptions(CodeOptions):
    """The options of `nncli.threshold`: at most one goal, and what is done with the threshold that it leads to.

    Of several labels, the goal is that of each.
    """

    cost: Annotated[
        tuple[float, float] | None,
        Option(
            "Lowest cost, of a false positive and of a false negative.",
            GOAL,
            metavar="fp=1,fn=20",
            parse=_costs,
        ),
    ] = None
    costs: Annotated[
        TableLocation | None,
        Option(
            "Lowest expected cost, for any number of classes: a table with a row for each actual and a column for "
            "each predicted class.",
            GOAL,
            metavar="TABLE",
        ),
    ] = None
    recall: Annotated[float | None, Option("Recall of at least R.", GOAL, metavar="R")] = None
    precision: Annotated[float | None, Option("Precision of at least P.", GOAL, metavar="P")] = None
    f1: Annotated[bool, Option("Highest F1; of several labels, that of each.", GOAL)] = False
    kappa: Annotated[bool, Option("Of ordered classes: highest quadratic weighted kappa.", GOAL)] = False
    positive_rate: Annotated[
        float | None, Option("Predict at most this share of the rows as positive.", GOAL, metavar="Q")
    ] = None
    at: Annotated[float | None, Option("This threshold; it may have --cost or --costs.", GOAL, metavar="T")] = None
    positive: Annotated[
        str | None,
        Option("The positive class. Default: the second of two, see positive_class.", GOAL, metavar="LABEL"),
    ] = None
    save: Annotated[bool, Option("Save the threshold in the run: predictions and scores use it.", OUTPUT)] = False


@dataclass(frozen=True, kw_only=True)
class ExportOptions(CodeOptions):
    """The options of `nncli.export`."""

    to: Annotated[
        str | None,
        Option("onnx, js, html, c or python. Default: by the suffix of FILE.", OUTPUT, metavar="TARGET"),
    ] = None
    check: Annotated[
        TableLocation | bool,
        Option(
            "Compare the predictions for all rows of a table. Default: up to 1,000 rows of the training table, and "
            "some with unusual cells.",
            INPUT,
            metavar="TABLE",
        ),
    ] = True
    labels: Annotated[bool, Option("For classes: the label without the probabilities.", OUTPUT)] = False
    proba: Annotated[bool, Option("For classes: the probabilities without the label.", OUTPUT)] = False
    interval: Annotated[
        float | Sequence[float],
        Option(
            "For numbers: also prediction intervals that cover this share of new rows, such as 0.9; for the time to an "
            "event lower bounds. Repeatable.",
            OUTPUT,
            metavar="LEVEL",
        ),
    ] = ()
    force: Annotated[bool, Option("Replace an existing file.", OUTPUT)] = False


@dataclass(frozen=True, kw_only=True)
class ShareOptions(Options):
    """The options of `nncli.share`."""

    force: Annotated[bool, Option("Replace an existing file.", OUTPUT)] = False


@dataclass(frozen=True, kw_only=True)
class SyntheticOptions(Options):
    """The options of `nncli generate-data`."""

    rows: Annotated[int, Option("Number of rows.", INPUT, short="-n", metavar="N")] = 100
    noise: Annotated[float | None, Option("Amount of noise. Default: depends on NAME.", INPUT, metavar="X")] = None
    seed: Annotated[int, Option("Seed of the random numbers.", INPUT, metavar="N")] = 0
    path: Annotated[
        str | Path | None,
        Option("The file to write. Default: standard output.", OUTPUT, name="output", short="-o", metavar="FILE"),
    ] = None
    force: Annotated[bool, Option("Replace an existing file.", OUTPUT)] = False
