"""`nncli train` with members: several networks trained side by side, and what they say together."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from nncli.config.schema import Config
from nncli.data.store.scratch import Scratch, folder_beside
from nncli.errors import NncliError
from nncli.pipeline.ensemble.member_config import check_members, member_config
from nncli.pipeline.ensemble.out_of_fold import Made, Survey
from nncli.pipeline.parallel.control_dir import Control
from nncli.pipeline.parallel.executor import workers_for
from nncli.pipeline.parallel.task import Outcome, Task
from nncli.pipeline.parallel.task_pool import Work
from nncli.pipeline.prepare.execution import Execution
from nncli.pipeline.train.events import Event, Finished, MembersStarted
from nncli.pipeline.train.provenance import first_manifest, in_words, same_tables, unchanged
from nncli.runs.loader import read_model
from nncli.runs.manifest import Manifest, Status, member_folder
from nncli.runs.run import Run
from nncli.scoring import ScoreCard, card_json
from nncli.utils.atomic_files import batched_fsync
from nncli.utils.logs import log_duration

WORK = ".work"
"""The folder in an ensemble's directory through which its members are heard of while they are trained."""


def train_ensemble(
    config: Config, wanted: Path, command: Sequence[str], stop: Callable[[], bool], scheduler: str | None
) -> Generator[Event, None, None]:
    """Train all members, and make them one: `MembersStarted`, `MembersProgress` a few times a second, `Finished`."""
    check_members(config)
    with Scratch(folder_beside(wanted)) as scratch:
        survey = Survey.of(config, scratch)
        with Assembly.begun(survey, wanted, command) as assembly:
            yield from _train(assembly, stop, scheduler)


def resume_ensemble(
    run: Run, assignments: Sequence[str], command: Sequence[str], stop: Callable[[], bool], scheduler: str | None
) -> Generator[Event, None, None]:
    """Go on with all members that are not done; see `nncli.commands.train.resume_events`."""
    with run.locked(), Scratch(run.path) as scratch:
        manifest = run.load_manifest()
        run.clear_leftovers()
        config = unchanged(run, manifest, assignments)
        same_tables(config, manifest)
        yield from _train(Assembly.resumed(Survey.of(config, scratch), run, command), stop, scheduler)


def _train(assembly: Assembly, stop: Callable[[], bool], scheduler: str | None) -> Generator[Event, None, None]:
    """Train the members, and leave the run directory complete, whatever ends the training."""
    clock, config, run = time.perf_counter(), assembly.survey.config, assembly.run
    tasks = assembly.tasks(1 if scheduler else workers_for(config.members, config.workers))
    work = Work(tasks, Control(run.path.absolute() / WORK), config.workers, scheduler, stop)
    try:
        yield MembersStarted(run.path, config.members, work.workers, assembly.survey.notes)
        with closing(work.run()) as progress:
            yield from progress
        made = assembly.finish()
    except BaseException as error:  # also a signal that insists, or a reader of these events who leaves
        assembly.give_up(error)
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
class Assembly:
    """An ensemble in the making: its directory, which is locked, and what its members are to be."""

    survey: Survey
    run: Run
    manifest: Manifest
    clock: float = field(default_factory=time.perf_counter)

    @classmethod
    @contextmanager
    def begun(cls, survey: Survey, wanted: Path, command: Sequence[str]) -> Iterator[Assembly]:
        """Make the directory, `wanted` or `wanted-2` …, and hold it while the block runs.

        Raises:
            DataError: there are too few rows for so many members.
        """
        manifest = first_manifest(
            survey.config,
            datetime.now(UTC),
            command,
            Execution("numpy", 1, 1),  # each member has its own
            table_rows=survey.table_rows,
            training_rows=len(survey.inside),
            validation_rows=survey.validation_rows,
            features=0,
            parameters=0,
        )
        with Run.create(wanted, survey.config, None, manifest) as run:
            yield cls(survey, run, manifest)

    @classmethod
    def resumed(cls, survey: Survey, run: Run, command: Sequence[str]) -> Assembly:
        """Go on in a directory, which is locked."""
        manifest = run.load_manifest()
        going_on = {"status": "running", "command": in_words(command) or manifest.command}
        manifest = manifest.model_copy(update=going_on)
        run.save_manifest(manifest)
        run.save_config(survey.config)
        run.drop_spec()
        return cls(survey, run, manifest)

    def tasks(self, at_a_time: int, first: int = 0) -> list[Task]:
        """The training of each member, numbered from `first`; so many share the memory."""
        path = self.run.path.absolute()
        members = [member_config(self.survey.config, i, path, at_a_time) for i in range(self.survey.config.members)]
        return [Task(first + i, member, str(path / member_folder(i))) for i, member in enumerate(members)]

    def finish(self) -> Made | None:
        """Make the ensemble, once all members are done, and write down how good it is; None while some are not."""
        outcomes = [Outcome.so_far(task) for task in self.tasks(1)]
        if any(outcome.status != "done" for outcome in outcomes):
            self._close("stopped")
            return None
        models = tuple(read_model(self.run.path / member_folder(i)) for i in range(len(outcomes)))
        with log_duration("scoring") as told:
            made = self.survey.assemble(models)
            told.details.append(f"{len(models):,} members together")
        metrics = {"training": card_json(made.training), "validation": self._of_held(made.validation)}
        with batched_fsync():
            self.run.save_metrics({**metrics, "calibration": asdict(made.calibration)} if made.calibration else metrics)
            self.run.save_spec(made.ensemble.spec)
        features = len({column.name for model in models for column in model.spec.encoder.columns})
        self._close("done", features=features, parameters=sum(model.spec.network.layout.size for model in models))
        return made

    def give_up(self, error: BaseException) -> None:
        """Write down that the training ended with an error, or a signal that insists."""
        with suppress(NncliError, OSError, MemoryError):  # what ended it is what is told
            self._close("failed" if isinstance(error, Exception) else "stopped")

    def _close(self, status: Status, **more: object) -> None:
        outcomes = [Outcome.so_far(task) for task in self.tasks(1)]
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
        every = self.survey.other is not None
        by = {"predicted_by": "all members" if every else "the members that held the row out"}
        return None if card is None else {**(card_json(card) or {}), **by}
