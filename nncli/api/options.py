"""The options of every operation: its keywords in Python, its options on the command line, its parameters in addresses.

The order of the bases of a class is the reverse of that of its options.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from nncli.analysis.drift_limits import LIMIT
from nncli.base.errors import Location, UsageError
from nncli.base.option import INPUT, OUTPUT, SEARCH, TRAINING, Option, Options
from nncli.data.formats.registry import FileOptions
from nncli.fitting.timing.clock import TimeLimit
from nncli.models.conformal.options import UncertaintyOptions

if TYPE_CHECKING:
    from nncli.base.findings import Finding
    from nncli.fitting.launch import Launch
    from nncli.models.ensemble import AnyModel

OnError: TypeAlias = Literal["fail", "missing", "skip"]
"""What happens to a cell that cannot be read: an error, a missing cell, or its row is left out."""
Quality: TypeAlias = Literal["fast", "balanced", "best"]
Preset: TypeAlias = Literal["tabular", "textbook"]
OnNote: TypeAlias = Callable[[str], object]


def never() -> bool:
    """What stops no training."""
    return False


@dataclass(frozen=True, kw_only=True)
class InvalidCellOptions(Options):
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
                hint="Add --on-error missing or --on-error skip (in Python on_error).",
            )
        return path


@dataclass(frozen=True, kw_only=True)
class OutputColumns(Options):
    """The columns of predictions besides the predictions."""

    proba: Annotated[
        bool,
        Option(
            "Add the probability of each class as proba_CLASS.",
            OUTPUT,
            http="Adds the probability of each class as proba_CLASS.",
            needs="probabilities",
        ),
    ] = False
    keep: Annotated[
        Sequence[str],
        Option(
            "Copy a column of INPUT to the output; that of a CSV file is copied as text. Repeatable.",
            OUTPUT,
            metavar="COLUMN",
        ),
    ] = ()

    def check_proba(self, model: AnyModel) -> None:
        """Raise a UsageError if probabilities are asked for that the model does not have."""
        if self.proba and not model.spec.target.has_probabilities:
            raise UsageError(f"--proba {model.spec.target.no_labels}")


@dataclass(frozen=True, kw_only=True)
class NoteOptions(Options):
    """What is called with notes."""

    on_note: Annotated[
        OnNote | None, Option("Called with notes on how the table was read, and on unexpected values.")
    ] = None

    def note(self, text: str) -> None:
        """Call `on_note`, if there is one."""
        if self.on_note is not None:
            self.on_note(text)


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
class DatabaseOptions(Options):
    """Where predictions are written in a database."""

    table: Annotated[str | None, Option("The table to write, if the output is a database.", OUTPUT, metavar="NAME")] = (
        None
    )
    append: Annotated[bool, Option("Add the rows to an existing table of the database.", OUTPUT)] = False


@dataclass(frozen=True, kw_only=True)
class PredictToFileOptions(WriteOptions, DatabaseOptions):
    """The options of a prediction into one file, one table of a database, or standard output."""

    profile: Annotated[
        str | Path | None,
        Option(
            "Write the profile of the rows (.json), for nncli drift; to an existing profile they are added.",
            OUTPUT,
            metavar="FILE",
        ),
    ] = None


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
        Option("Predict the files on a Dask cluster, for example tcp://host:8786.", OUTPUT, metavar="ADDRESS"),
    ] = None
    on_progress: Annotated[
        Callable[[Any], object] | None,
        Option("Called with a FilesProgress at the beginning and after each file."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class PredictCommandOptions(PredictFilesOptions, PredictToFileOptions):
    """The options of `nncli predict`, whose output is a file or a folder."""


@dataclass(frozen=True, kw_only=True)
class AssignmentOptions(Options):
    """Overrides of a configuration."""

    assignments: Annotated[
        Sequence[str],
        Option(
            "Override a key, for example --set optimizer.type=adam. Repeatable.",
            INPUT,
            name="set",
            metavar="KEY=VALUE",
            completion="assignment",
        ),
    ] = ()


@dataclass(frozen=True, kw_only=True)
class QualityOptions(Options):
    """The level of the preset tabular: training time against accuracy."""

    quality: Annotated[
        Quality | None,
        Option("fast: an ensemble of 4, trained less; balanced: of up to 8 (default); best: of 20.", TRAINING),
    ] = None


@dataclass(frozen=True, kw_only=True)
class PresetOptions(Options):
    """The preset of a configuration."""

    preset: Annotated[
        Preset | None,
        Option("tabular: the best in our benchmarks (default); textbook: a plain network.", TRAINING),
    ] = None


@dataclass(frozen=True, kw_only=True)
class DraftOptions(AssignmentOptions, QualityOptions, PresetOptions):
    """What a configuration for a table is to have."""


@dataclass(frozen=True, kw_only=True)
class InitOptions(DraftOptions):
    """The options of `nncli.init`."""

    output: Annotated[str | Path | None, Option("The file to write the YAML to, if any.")] = None
    force: Annotated[bool, Option("Replace an existing file.")] = False


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
class ClusterOptions(StopOptions):
    """Where networks are trained."""

    scheduler: Annotated[
        str | None,
        Option("Train on a Dask cluster, for example tcp://host:8786.", TRAINING, metavar="ADDRESS"),
    ] = None

    def launch(self, command: Sequence[str] = (), findings: Sequence[Finding] = ()) -> Launch:
        """What a training is started with; `findings` precede its own."""
        from nncli.fitting.launch import Launch

        return Launch(command, self.stop, self.scheduler, findings)


@dataclass(frozen=True, kw_only=True)
class TrackOptions(Options):
    """Where metrics are written to besides the run directory."""

    track: Annotated[
        Sequence[str],
        Option(
            "Also write the metrics to tensorboard[=DIR] or mlflow[=URI]. Repeatable.",
            OUTPUT,
            metavar="TRACKER",
            completion="tracker",
        ),
    ] = ()


@dataclass(frozen=True, kw_only=True)
class ResumeOptions(TrackOptions, ClusterOptions, AssignmentOptions):
    """The options of `nncli.resume`."""


@dataclass(frozen=True, kw_only=True)
class NewRunOptions(Options):
    """Where a run is written."""

    output: Annotated[
        str | Path | None,
        Option("The run directory to create. Default: runs/NAME.", OUTPUT, short="-o", metavar="RUN"),
    ] = None


@dataclass(frozen=True, kw_only=True)
class TimeLimitOptions(Options):
    """How long a training may take."""

    time_limit: Annotated[
        float | str | TimeLimit | None,
        Option("Train the best model there is time for, for example 60s, 5m or 1h.", TRAINING, metavar="DURATION"),
    ] = None


@dataclass(frozen=True, kw_only=True)
class TrainOptions(TrackOptions, NewRunOptions, ClusterOptions, TimeLimitOptions, AssignmentOptions):
    """The options of `nncli.train`."""


@dataclass(frozen=True, kw_only=True)
class NewCrossValidationOptions(Options):
    """Where a cross-validation is written."""

    output: Annotated[
        str | Path | None,
        Option("The directory to create. Default: runs/NAME-cv.", OUTPUT, short="-o", metavar="DIR"),
    ] = None


@dataclass(frozen=True, kw_only=True)
class FoldOptions(Options):
    """The folds of a cross-validation."""

    folds: Annotated[int, Option("Number of folds.", TRAINING, metavar="K")] = 5
    repeats: Annotated[int, Option("Repetitions with other folds.", TRAINING, metavar="R")] = 1


@dataclass(frozen=True, kw_only=True)
class CrossValidateOptions(NewCrossValidationOptions, ClusterOptions, FoldOptions, AssignmentOptions):
    """The options of `nncli.cross_validate`."""


@dataclass(frozen=True, kw_only=True)
class SearchSizeOptions(Options):
    """How long a search goes on."""

    trials: Annotated[
        int | None,
        Option("Number of trials, besides the first. Default: 30.", SEARCH, metavar="N", minimum=1),
    ] = None
    time: Annotated[
        str | float | None,
        Option(
            "Begin no trial after this time, for example 30m or 2h. Trials that have begun run to their end.",
            SEARCH,
            metavar="DURATION",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class SearchWorkersOptions(Options):
    """How many networks are trained at a time."""

    workers: Annotated[
        int | Literal["auto"] | None,
        Option(
            "Trainings at a time. The result is the same. Default: the key workers.",
            TRAINING,
            metavar="N",
            minimum=1,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class ResumeTuneOptions(TrackOptions, ClusterOptions, SearchWorkersOptions, SearchSizeOptions):
    """The options of `nncli.resume_tune`."""


@dataclass(frozen=True, kw_only=True)
class SearchedKeysOptions(Options):
    """What is searched."""

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


@dataclass(frozen=True, kw_only=True)
class SearchMethodOptions(Options):
    """How a search goes on."""

    folds: Annotated[
        int | str | None,
        Option(
            "Number of folds that score each trial, or the validation rows. Default: 5.",
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


@dataclass(frozen=True, kw_only=True)
class NewSearchOptions(Options):
    """Where a search is written."""

    output: Annotated[
        str | Path | None,
        Option("The directory to create. Default: runs/NAME-tune.", OUTPUT, short="-o", metavar="DIR"),
    ] = None


@dataclass(frozen=True, kw_only=True)
class TuneOptions(
    ResumeTuneOptions,
    TrackOptions,
    NewSearchOptions,
    ClusterOptions,
    SearchWorkersOptions,
    SearchMethodOptions,
    SearchSizeOptions,
    SearchedKeysOptions,
    AssignmentOptions,
):
    """The options of `nncli.tune`."""

    @property
    def settings(self) -> dict[str, object]:
        """The values of keys of the section `tune`; None is that of the configuration."""
        return {name: getattr(self, name) for name in ("trials", "time", "folds", "metric", "sampler", "lag", "prune")}


@dataclass(frozen=True, kw_only=True)
class NewStudentOptions(Options):
    """Where a student is written."""

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
class DistillOptions(NewStudentOptions, StopOptions, AssignmentOptions):
    """The options of `nncli.distill`."""

    units: Annotated[int, Option("Units of each of the two layers.", TRAINING, metavar="N")] = 64
