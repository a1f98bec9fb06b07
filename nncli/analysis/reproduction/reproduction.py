"""Training a run again in a temporary folder, and the verdict on the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from math import floor, log10
from pathlib import Path
from typing import Any

from nncli.analysis.reproduction.checks import ProvenanceCheck, check_run, moved_tables
from nncli.analysis.reproduction.comparison import FileDifference, compare_runs
from nncli.analysis.reproduction.record import DATA, RunRecord
from nncli.base.atomic_files import relabel_errors
from nncli.base.errors import ConfigError, DataError, NncliError, sentences, without_resuming
from nncli.base.scratch import scratch_folder
from nncli.base.text import json_safe
from nncli.config.schema import Config
from nncli.data.sources.table_source import TableLocation
from nncli.fitting.ensemble.out_of_fold import has_joint_epoch, recorded_folds
from nncli.fitting.ensemble.train import RecordedMembers, resume_ensemble, train_ensemble
from nncli.fitting.parallel.control_dir import ControlDirectory
from nncli.fitting.parallel.task_stream import Workers
from nncli.fitting.parallel.trainings import MORE_MEMORY, TrainingStream, TrainingTask, until_epoch
from nncli.fitting.prepare.load import table_copies
from nncli.fitting.train.events import Event, Finished, MembersProgress, MembersStarted, Started
from nncli.fitting.train.provenance import recorded_execution
from nncli.fitting.train.single import resume_network, train_network
from nncli.fitting.training_call import TrainingCall
from nncli.nn.training.epoch import DivergedError
from nncli.run_directory.filenames import CONTROL_FOLDER
from nncli.run_directory.manifest import CONFIG, HELD_OUT, HISTORY, MODEL, WEIGHTS
from nncli.run_directory.run import Run

PREFIX = "nncli-reproduce-"
"""The beginning of the name of the temporary folder."""


TOLERANCE = 1e-3
"""The largest relative difference of weights and predictions that count as the same.

Another BLAS kernel leads to 1e-7 to 1e-5, unless the training amplifies its rounding."""


class ReproductionVerdict(StrEnum):
    """Whether a training leads to the same result again."""

    IDENTICAL = "identical"
    CLOSE = "close"
    DIFFERENT = "different"


EXIT_CODES = {ReproductionVerdict.IDENTICAL: 0, ReproductionVerdict.CLOSE: 6, ReproductionVerdict.DIFFERENT: 1}


@dataclass(frozen=True)
class Reproduction:
    """The result of training a run again: what it depends on, and how the results compare.

    With `quick` only so many epochs were trained. `seconds` is how long the training took. `divergence` says where the
    training diverged; None if it did not.
    """

    run: Path
    checks: tuple[ProvenanceCheck, ...]
    comparisons: tuple[FileDifference, ...]
    seconds: float
    quick: int | None = None
    divergence: str | None = None

    @property
    def verdict(self) -> ReproductionVerdict:
        """Identical to the bit, the same within a tolerance, or different.

        A run whose files were changed after the training is different, whatever the training leads to.
        """
        if self.changed_files or self.divergence is not None:
            return ReproductionVerdict.DIFFERENT
        if all(comparison.is_identical for comparison in self.comparisons):
            return ReproductionVerdict.IDENTICAL
        return ReproductionVerdict.CLOSE if self.difference <= TOLERANCE else ReproductionVerdict.DIFFERENT

    @property
    def exit_code(self) -> int:
        """The exit code of the verdict."""
        return EXIT_CODES[self.verdict]

    @property
    def difference(self) -> float:
        """The largest relative difference of weights and predictions; of other files only if these are the same.

        Losses differ more in the middle of a training than at its end, and metrics may jump.
        """
        differing = [
            (Path(comparison.file).name, comparison.difference)
            for comparison in self.comparisons
            if not comparison.is_identical
        ]
        for names in ((WEIGHTS, MODEL, HELD_OUT), (HISTORY,)):
            if sizes := [size for name, size in differing if name in names]:
                return max(sizes)
        return max((size for _, size in differing), default=0.0)

    @property
    def changed_files(self) -> tuple[ProvenanceCheck, ...]:
        """The files of the run that were changed or removed after the training, and the changed configuration."""
        return tuple(check for check in self.checks if check.differs and check.kind in ("file", "configuration"))

    @property
    def causes(self) -> tuple[str, ...]:
        """All that is not as it was, in words; a changed configuration is named once."""
        return _in_words(self.checks)

    @property
    def first_difference(self) -> FileDifference | None:
        """The history with the earliest epoch that differs."""
        histories = [comparison for comparison in self.comparisons if comparison.first_epoch is not None]
        return min(histories, key=lambda history: history.first_epoch or 0, default=None)

    @property
    def sentence(self) -> str:
        """The verdict in words, with its causes."""
        compared, changed = "", self.changed_files
        if self.quick is not None:
            compared = f"in the first {self.quick:,} epochs" if self.quick > 1 else "in the first epoch"
        is_reproduced = self.divergence is None and all(comparison.is_reproduced for comparison in self.comparisons)
        if changed and is_reproduced:
            others = _in_words([check for check in self.checks if check not in changed])
            again = f"training again is identical to the bit with what the run recorded {compared}".rstrip()
            although = f", although {joined(others)}" if others else ""
            return f"not the run that was trained: {joined(_in_words(changed))}; {again}{although}"
        if is_reproduced:
            text = f"{compared} identical to the bit".lstrip()
            return f"{text}, although {joined(self.causes)}" if self.causes else text
        if self.verdict is ReproductionVerdict.CLOSE:
            text = f"{compared} the same within 1e-{floor(-log10(self.difference))}".lstrip()
        else:
            text = self._difference_in_words
        text += f", because {joined(self.causes)}" if self.causes else ", and nothing that the run records differs"
        return text if self.divergence is None else f"{text}. The training diverges now: {self.divergence}"

    @property
    def _difference_in_words(self) -> str:
        """From where on a training that is different differs."""
        first = self.first_difference
        if first is None and self.divergence is not None:
            return "does not end"
        if first is None:
            files = ", ".join(comparison.file for comparison in self.comparisons if not comparison.is_reproduced)
            return f"differs after the last epoch, in {files}"
        values = ""
        if first.then is not None and first.now is not None:
            values = f" ({first.where} {_shown(first.then, first.now)})"
        member = first.file.removesuffix(HISTORY).rstrip("/")
        return f"differs from epoch {first.first_epoch:,} on{f' in {member}' if member else ''}{values}"

    def json(self) -> dict[str, Any]:
        """{"verdict": …, "exit_code": …, "sentence": …, "difference": …, "first_epoch": …, "causes": […], …}."""
        first = self.first_difference
        return {
            "run": str(self.run),
            "verdict": self.verdict.value,
            "exit_code": self.exit_code,
            "sentence": self.sentence,
            "difference": json_safe(self.difference),
            "first_epoch": None if first is None else first.first_epoch,
            "causes": list(self.causes),
            "quick": self.quick,
            "divergence": self.divergence,
            "seconds": round(self.seconds, 3),
            "checks": [check.json() for check in self.checks],
            "comparisons": [comparison.json() for comparison in self.comparisons],
        }


def _in_words(checks: Sequence[ProvenanceCheck]) -> tuple[str, ...]:
    differing = [check for check in checks if check.differs]
    is_config_changed = any(check.kind == "configuration" for check in differing)
    return tuple(check.cause for check in differing if not (is_config_changed and check.name == CONFIG))


def _shown(then: float, now: float) -> str:
    """Two numbers with as many digits as tell them apart."""
    digits = next((n for n in range(4, 17) if f"{then:.{n}g}" != f"{now:.{n}g}"), 17)
    return f"{then:.{digits}g} then, {now:.{digits}g} now"


def joined(parts: Sequence[str]) -> str:
    """Phrases in a sentence."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def reproduce_run(
    run: str | Path,
    *,
    data: TableLocation | None = None,
    validation: TableLocation | None = None,
    quick: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event | Reproduction, None, None]:
    """Check what a run depends on, train it again, and yield the events and then the result; none if it was stopped.

    The tables are at `data` and `validation` now, or where they were. With `quick` only so many epochs are trained.

    Raises:
        RunError: the run is missing, damaged or not finished, or its backend is missing.
        UsageError: the run has fewer epochs, or no validation file.
        DataError: a table cannot be read.
    """
    recorded = RunRecord.open(Path(run))
    if quick is None:
        recorded.check_finished()
    else:
        recorded.check_epochs(quick)
    config = recorded.config(data, validation)
    for manifest in recorded.networks.values():
        recorded_execution(manifest).check_available(str(recorded.path))
    with scratch_folder(PREFIX) as folder, ExitStack() as stack:
        with moved_tables(DATA):
            stack.enter_context(table_copies(config, folder))
        again = folder / "run"
        stack.enter_context(_named_as(again, recorded.path))
        checks, clock, divergence = check_run(recorded, config), time.perf_counter(), None
        if quick is None:
            events = _train(recorded, config, again, stop)
        else:
            configs = [recorded.config(data, validation, network) for network in recorded.networks]
            configs = [recorded.config_of_first_epochs(of_network, quick) for of_network in configs]
            events = _train_first_epochs(recorded, config, configs, again, quick, stop)
        try:
            with closing(events), _explained(checks):
                for event in events:
                    if not isinstance(event, Finished):
                        yield event
                    elif event.status != "done":
                        return
        except DivergedError as error:
            divergence = error.message
        if stop():
            return
        compared = compare_runs(recorded, again, quick)
        yield Reproduction(recorded.path, checks, compared, time.perf_counter() - clock, quick, divergence)


@contextmanager
def _explained(checks: Sequence[ProvenanceCheck]) -> Iterator[None]:
    """Add to the hints of errors within the block what is not as it was when the run was trained."""
    causes = [check.cause for check in checks if check.differs]
    more = f"The run was trained otherwise: {joined(causes)}." if causes else None
    try:
        yield
    except ConfigError as error:
        raise ConfigError(*(replace(issue, hint=sentences(issue.hint, more)) for issue in error.issues)) from error
    except DataError as error:
        error.hint = sentences(error.hint, more)
        raise


@contextmanager
def _named_as(again: Path, recorded: Path) -> Iterator[None]:
    """Let errors within the block name the recorded run instead of its copy, which is gone and cannot be resumed."""
    with relabel_errors(again, recorded):
        try:
            yield
        except NncliError as error:
            error.hint = without_resuming(error.hint)
            raise


def _train(recorded: RunRecord, config: Config, again: Path, stop: Callable[[], bool]) -> Generator[Event, None, None]:
    """The whole training, with further epochs where the run was resumed for them."""
    first, *more = [*(change.epochs for change in recorded.manifest.lengthened), config.epochs]
    config = config.model_copy(update={"epochs": first})
    executions = tuple(map(recorded_execution, recorded.networks.values()))
    if recorded.is_ensemble:
        members = RecordedMembers(executions, recorded_folds(recorded.path, config))
        yield from train_ensemble(config, again, TrainingCall(stop=stop), recorded=members)
    else:
        yield from train_network(config, again, stop=stop, execution=executions[0])
    for epochs in more:
        if recorded.is_ensemble:
            yield from resume_ensemble(Run(again), [f"epochs={epochs}"], TrainingCall(stop=stop))
        else:
            yield from resume_network(Run(again), [f"epochs={epochs}"], stop=stop)


def _train_first_epochs(
    recorded: RunRecord, config: Config, configs: Sequence[Config], again: Path, quick: int, stop: Callable[[], bool]
) -> Generator[Event, None, None]:
    """The first epochs of each network, with its own one of the `configs`; `config` is that of the run."""
    if not recorded.is_ensemble:
        execution = recorded_execution(recorded.manifest)
        events = train_network(configs[0], again, stop=stop, with_checks=False, execution=execution)
        for event in until_epoch(events, quick):
            yield replace(event, epochs=min(quick, event.epochs)) if isinstance(event, Started) else event
        return
    tasks = [
        TrainingTask(
            i,
            of_network,
            str(again / folder),
            snapshots=has_joint_epoch(config),
            execution=recorded_execution(manifest),
            last_epoch=min(quick, manifest.epochs),
        )
        for i, (of_network, (folder, manifest)) in enumerate(zip(configs, recorded.networks.items(), strict=True))
    ]
    control = ControlDirectory(again / CONTROL_FOLDER)
    with TrainingStream(len(tasks), control, Workers(config.workers), stop, MORE_MEMORY) as stream:
        yield MembersStarted(recorded.path, len(tasks), stream.workers, ())
        for progress in stream.run(tasks):
            yield MembersProgress(
                tuple(replace(member, epochs=min(quick, member.epochs)) for member in progress.members)
            )
