"""`nncli train` with members: several networks trained side by side, and what they say together."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from nncli.config.schema import Config
from nncli.data.store.scratch import Scratch, existing_parent
from nncli.errors import NncliError
from nncli.pipeline.ensemble.member_config import check_members, member_config
from nncli.pipeline.ensemble.out_of_fold import BuiltEnsemble, EnsembleData
from nncli.pipeline.parallel.control_dir import ControlDirectory
from nncli.pipeline.parallel.executor import workers_for
from nncli.pipeline.parallel.task import TaskStatus, TrainingTask
from nncli.pipeline.parallel.task_pool import TaskPool
from nncli.pipeline.prepare.execution import Execution
from nncli.pipeline.train.events import Event, Finished, MembersStarted
from nncli.pipeline.train.provenance import check_config_unchanged, check_tables_unchanged, command_line, new_manifest
from nncli.runs.loader import read_model
from nncli.runs.manifest import Manifest, Status, member_folder
from nncli.runs.run import Run
from nncli.scoring import ScoreCard, scores_json
from nncli.utils.atomic_files import batched_fsync
from nncli.utils.logs import log_duration

WORK = ".work"
"""The folder in an ensemble's directory through which its members are heard of while they are trained."""


def train_ensemble(
    config: Config, wanted: Path, command: Sequence[str], stop: Callable[[], bool], scheduler: str | None
) -> Generator[Event, None, None]:
    """Train all members, and make them one: `MembersStarted`, `MembersProgress` a few times a second, `Finished`."""
    check_members(config)
    with Scratch(existing_parent(wanted)) as scratch:
        survey = EnsembleData.of(config, scratch)
        with EnsembleRun.create(survey, wanted, command) as assembly:
            yield from _train(assembly, stop, scheduler)


def resume_ensemble(
    run: Run, assignments: Sequence[str], command: Sequence[str], stop: Callable[[], bool], scheduler: str | None
) -> Generator[Event, None, None]:
    """Go on with all members that are not done; see `nncli.commands.train.resume_events`."""
    with run.locked(), Scratch(run.path) as scratch:
        manifest = run.load_manifest()
        run.clear_leftovers()
        config = check_config_unchanged(run, manifest, assignments)
        check_tables_unchanged(config, manifest)
        yield from _train(EnsembleRun.resume(EnsembleData.of(config, scratch), run, command), stop, scheduler)


def _train(assembly: EnsembleRun, stop: Callable[[], bool], scheduler: str | None) -> Generator[Event, None, None]:
    """Train the members, and leave the run directory complete, whatever ends the training."""
    clock, config, run = time.perf_counter(), assembly.survey.config, assembly.run
    tasks = assembly.tasks(1 if scheduler else workers_for(config.members, config.workers))
    work = TaskPool(tasks, ControlDirectory(run.path.absolute() / WORK), config.workers, scheduler, stop)
    try:
        yield MembersStarted(run.path, config.members, work.workers, assembly.survey.notes)
        with closing(work.run()) as progress:
            yield from progress
        made = assembly.finalize()
    except BaseException as error:  # also a signal that insists, or a reader of these events who leaves
        assembly.abort(error)
        raise
    yield Finished(
        run=run.path,
        status="done" if made else "stopped",
        epochs=max(outcome.epochs for outcome in work.outcomes.values()),
        best_epoch=max(outcome.best_epoch for outcome in work.outcomes.values()),
        seconds=time.perf_counter() - clock,
        training=made.training if made else None,
        validation=made.validation if made else None,
    )


@dataclass(frozen=True)
class EnsembleRun:
    """An ensemble in the making: its directory, which is locked, and what its members are to be."""

    survey: EnsembleData
    run: Run
    manifest: Manifest
    clock: float = field(default_factory=time.perf_counter)

    @classmethod
    @contextmanager
    def create(cls, survey: EnsembleData, wanted: Path, command: Sequence[str]) -> Iterator[EnsembleRun]:
        """Make the directory, `wanted` or `wanted-2` …, and hold it while the block runs.

        Raises:
            DataError: there are too few rows for so many members.
        """
        manifest = new_manifest(
            survey.config,
            datetime.now(UTC),
            command,
            Execution("numpy", 1, 1),  # each member has its own
            table_rows=survey.table.height,
            training_rows=len(survey.used_rows),
            validation_rows=survey.validation_rows,
            features=0,
            parameters=0,
        )
        with Run.create(wanted, survey.config, None, manifest) as run:
            yield cls(survey, run, manifest)

    @classmethod
    def resume(cls, survey: EnsembleData, run: Run, command: Sequence[str]) -> EnsembleRun:
        """Go on in a directory, which is locked."""
        manifest = run.load_manifest()
        going_on = {"status": "running", "command": command_line(command) or manifest.command}
        manifest = manifest.model_copy(update=going_on)
        run.save_manifest(manifest)
        run.save_config(survey.config)
        run.drop_spec()
        return cls(survey, run, manifest)

    def tasks(self, at_a_time: int, first: int = 0) -> list[TrainingTask]:
        """The training of each member, numbered from `first`; so many share the memory."""
        path = self.run.path.absolute()
        members = [member_config(self.survey.config, i, path, at_a_time) for i in range(self.survey.config.members)]
        return [TrainingTask(first + i, member, str(path / member_folder(i))) for i, member in enumerate(members)]

    def finalize(self) -> BuiltEnsemble | None:
        """Make the ensemble, once all members are done, and write down how good it is; None while some are not."""
        outcomes = [TaskStatus.read(task) for task in self.tasks(1)]
        if any(outcome.status != "done" for outcome in outcomes):
            self._close("stopped")
            return None
        models = tuple(read_model(self.run.path / member_folder(i)) for i in range(len(outcomes)))
        with log_duration("scoring") as told:
            made = self.survey.build_ensemble(models)
            told.details.append(f"{len(models):,} members together")
        metrics = {"training": scores_json(made.training), "validation": self._of_held(made.validation)}
        with batched_fsync():
            self.run.save_metrics({**metrics, "calibration": asdict(made.calibration)} if made.calibration else metrics)
            self.run.save_spec(made.ensemble.spec)
        features = len({column.name for model in models for column in model.spec.encoder.columns})
        self._close("done", features=features, parameters=sum(model.spec.network.layout.size for model in models))
        return made

    def abort(self, error: BaseException) -> None:
        """Write down that the training ended with an error, or a signal that insists."""
        with suppress(NncliError, OSError, MemoryError):  # what ended it is what is told
            self._close("failed" if isinstance(error, Exception) else "stopped")

    def _close(self, status: Status, **more: object) -> None:
        outcomes = [TaskStatus.read(task) for task in self.tasks(1)]
        ended = {
            "status": status,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round((self.manifest.seconds or 0.0) + time.perf_counter() - self.clock, 3),
            "epochs": max(outcome.epochs for outcome in outcomes),
            "best_epoch": max(outcome.best_epoch for outcome in outcomes),
        }
        self.run.save_manifest(self.manifest.model_copy(update={**ended, **more}))

    def _of_held(self, card: ScoreCard | None) -> dict[str, object] | None:
        """The scores on the rows that were held out, and by whom each of them is predicted there."""
        every = self.survey.validation_table is not None
        by = {"predicted_by": "all members" if every else "the members that held the row out"}
        return None if card is None else {**(scores_json(card) or {}), **by}
