"""Training an ensemble: the members in parallel, then their mean."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nncli.base.errors import NncliError
from nncli.base.logs import log_duration
from nncli.base.scratch import Scratch, existing_parent
from nncli.base.time_limit import TimeLimit
from nncli.config.schema import Config
from nncli.fitting.checks.scores import of_targets
from nncli.fitting.ensemble.build import (
    BuiltEnsemble,
    Candidate,
    EpochChoice,
    build_ensemble,
    read_candidates,
    remove_copied_members,
    save_members,
    standard_error,
)
from nncli.fitting.ensemble.out_of_fold import (
    EnsembleData,
    check_members,
    chooses_cycles,
    has_joint_epoch,
    member_config,
    with_cycles,
)
from nncli.fitting.ensemble.target_runs import choices_of_targets, write_target_runs
from nncli.fitting.parallel.control_dir import ControlDirectory
from nncli.fitting.parallel.trainings import TrainingStream, TrainingTask, removed_if_untrained
from nncli.fitting.prepare.auto_values import FIRST_DECISION, counted_rows, epochs_of_cycles, first_cycle, max_cycles
from nncli.fitting.prepare.execution import Execution
from nncli.fitting.prepare.load import load_table
from nncli.fitting.timing import TrainingPlan, estimate, plan_within
from nncli.fitting.train.events import Event, Finished, MembersProgress, MembersStarted
from nncli.fitting.train.provenance import (
    check_config_unchanged,
    check_tables_unchanged,
    command_line,
    lengthened,
    new_manifest,
)
from nncli.fitting.train.single import train_network
from nncli.fitting.training_call import TrainingCall
from nncli.models.scores import card_of_targets
from nncli.run_directory.filenames import CONTROL_FOLDER
from nncli.run_directory.manifest import MEMBERS, Manifest, Status, member_folder
from nncli.run_directory.run import Run

WORTH_PROCESSES = 20.0
"""Estimated seconds from which worker processes start at once, before this one has prepared the rows of a member."""


def train_ensemble(
    config: Config,
    requested: Path,
    call: TrainingCall,
    plan: TrainingPlan | None = None,
    recorded: RecordedMembers | None = None,
) -> Generator[Event, None, None]:
    """Train an ensemble, yielding `MembersStarted`, `MembersProgress` a few times a second, and `Finished`.

    A `plan` has the loaded table, and what a time limit changed. `recorded`
    is what the members take over from those of another run.
    """
    check_members(config)
    parent, plan, start = existing_parent(requested), plan or TrainingPlan(config), time.perf_counter()
    with Scratch(parent) as scratch:
        data = EnsembleData.of(config, scratch, table=plan.table)
        reading = time.perf_counter() - start
        data = data.with_checks(call.findings)
        seconds = (plan.estimate, None) if plan.estimate else estimate(data.config, data.table, reading)
        with (
            EnsembleRun.create(
                data, requested, call.command, plan.decision, recorded, replaces=call.replaces
            ) as ensemble_run,
            removed_if_untrained(ensemble_run.run.path, f"{MEMBERS}/*", parent),
        ):
            yield from _train(ensemble_run, call, seconds)


def resume_ensemble(run: Run, assignments: Sequence[str], call: TrainingCall) -> Generator[Event, None, None]:
    """Resume all members that are not done; see `nncli.api.train.resume_events`."""
    with run.locked() as run, Scratch(run.path) as scratch:
        manifest = run.load_manifest()
        run.clear_leftovers()
        config = check_config_unchanged(run, manifest, assignments)
        check_tables_unchanged(config, manifest)
        data = EnsembleData.of(config, scratch).with_checks(call.findings)
        yield from _train(EnsembleRun.resume(data, run, call.command), call)


def _train(
    ensemble_run: EnsembleRun, call: TrainingCall, seconds: tuple[float, float | None] | None = None
) -> Generator[Event, None, None]:
    """Train the members and complete the run directory, also after an error or a signal."""
    likely, longest = seconds or (None, None)
    clock, config, run = time.perf_counter(), ensemble_run.data.config, ensemble_run.run
    control = ControlDirectory(run.path.absolute() / CONTROL_FOLDER)
    try:
        workers = call.workers(config)
        is_long = likely is not None and likely > WORTH_PROCESSES
        with TrainingStream(config.n_members, control, workers, run.watched(call.stop), is_long=is_long) as stream:
            yield MembersStarted(
                run.path,
                config.n_members,
                stream.workers,
                ensemble_run.data.findings,
                estimate=likely,
                longest=longest,
            )
            yield from train_members(stream, [ensemble_run], workers.sharing(config.n_members))
        built = ensemble_run.finalize()
    except BaseException as error:  # also a second stop signal, or a closed generator
        ensemble_run.abort(error)
        raise
    yield Finished(
        run=run.path,
        status="done" if built else "stopped",
        epochs=max(saved.epoch for saved in stream.outcomes.values()),
        best_epoch=ensemble_run.best_epoch,
        seconds=time.perf_counter() - clock,
        training=built.training_scores if built else None,
        validation=built.validation_scores if built else None,
        findings=(*built.warnings, *of_targets({name: part.warnings for name, part in ensemble_run.targets.items()}))
        if built
        else (),
        out_of_fold=not ensemble_run.data.has_common_validation,
        averaged_epochs=ensemble_run.averaged_epochs,
        targets={name: (part.training_scores, part.validation_scores) for name, part in ensemble_run.targets.items()},
    )


def train_members(
    stream: TrainingStream, ensemble_runs: Sequence[EnsembleRun], at_a_time: int, tasks: Sequence[TrainingTask] = ()
) -> Generator[MembersProgress, None, None]:
    """Train the members of ensembles, and other `tasks`, whose numbers come first; `at_a_time` share the memory.

    Where out-of-fold rows choose the number of cycles, all members are trained for the same number of cycles, then
    those of the ensembles that need another one.
    """
    first = len(tasks)
    offsets = [
        first + sum(ensemble_run.data.config.n_members for ensemble_run in ensemble_runs[:i])
        for i in range(len(ensemble_runs))
    ]
    remaining = list(zip(ensemble_runs, offsets, strict=True))
    todo = [*tasks, *(task for group, offset in remaining for task in group.tasks(at_a_time, offset))]
    while todo:
        with closing(stream.run(todo)) as progress:
            yield from progress
        if not all(stream.outcomes[task.number].done for task in todo):
            return
        remaining = [(group, offset) for group, offset in remaining if group.needs_another_cycle()]
        todo = [task for group, offset in remaining for task in group.tasks(at_a_time, offset)]


@dataclass(frozen=True)
class RecordedMembers:
    """What is known of the members of a run before they are trained again: the execution of each, and their folds."""

    executions: tuple[Execution, ...]
    folds: int


MIN_STANDARD_ERRORS = 0.25
"""Standard errors of the mean difference of losses by which a cycle has to lower the loss for another one to follow."""


@dataclass(frozen=True)
class CycleDecision:
    """Whether another cycle follows a number of cycles.

    `loss` is the mean loss of the out-of-fold rows after the last cycle, `decrease` the difference from the lowest
    one after a cycle before it, and `standard_error` that of the decrease.
    """

    cycles: int
    epochs: int
    loss: float
    decrease: float
    standard_error: float

    @property
    def continues(self) -> bool:
        """Whether another cycle is worth training."""
        return self.decrease > MIN_STANDARD_ERRORS * self.standard_error

    @classmethod
    def of(cls, epochs: int, losses: list[npt.NDArray[np.float64]]) -> CycleDecision:
        """The decision from the losses of rows (rows,) at the end of each cycle, of which there are two or more."""
        *before, last = losses
        best = min(before, key=lambda loss: float(loss.mean()))
        difference = best - last
        return cls(len(losses), epochs, float(last.mean()), float(difference.mean()), standard_error(difference))


@dataclass
class EnsembleRun:
    """An ensemble that is being trained: its data, its locked run directory and its manifest.

    Where out-of-fold rows choose the number of cycles, the members are trained for `cycles` of them now. Each member
    chooses its execution unless there are `executions`. At the end the networks after the `averaged_epochs` are the
    ensemble's, where one or more epochs are chosen for all members. `targets` are the ensembles of several targets.
    """

    data: EnsembleData
    run: Run
    manifest: Manifest
    clock: float = field(default_factory=time.perf_counter)
    cycles: int = FIRST_DECISION
    decisions: list[CycleDecision] = field(default_factory=list)
    executions: tuple[Execution, ...] | None = None
    averaged_epochs: tuple[int, ...] = ()
    targets: Mapping[str, BuiltEnsemble] = field(default_factory=dict)
    _candidates: dict[int, Candidate] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def create(
        cls,
        data: EnsembleData,
        requested: Path,
        command: Sequence[str],
        time_limit: str | None = None,
        recorded: RecordedMembers | None = None,
        *,
        replaces: bool = False,
    ) -> Iterator[EnsembleRun]:
        """Create the run directory, `requested` or `requested-2` …, and lock it while the block runs.

        Raises:
            DataError: there are too few rows for the members.
        """
        data = replace(data, folds=recorded.folds) if recorded else data
        manifest = new_manifest(
            data.config,
            datetime.now(UTC),
            command,
            Execution("numpy", 1, 1),  # each member has its own execution
            table_rows=data.table.height,
            training_rows=len(data.training_rows),
            validation_rows=data.validation_rows,
            has_common_validation=data.has_common_validation,
            features=0,
            parameters=0,
            time_limit=time_limit,
        )
        with Run.create(requested, data.config, None, manifest, replaces=replaces) as run:
            yield cls(data, run, manifest, executions=recorded.executions if recorded else None)

    @classmethod
    def resume(cls, data: EnsembleData, run: Run, command: Sequence[str]) -> EnsembleRun:
        """Resume in a run directory that is locked."""
        manifest, data = run.load_manifest(), data.of_run(run.path)
        update = {
            "status": "running",
            "command": command_line(command) or manifest.command,
            "training_rows": len(data.training_rows),  # older versions counted validation rows in time as these
            "has_common_validation": data.has_common_validation,
            "lengthened": lengthened(run, manifest, data.config),
            "members": data.config.n_members,
            "decided": None,
        }
        manifest = manifest.model_copy(update=update)
        run.save_manifest(manifest)
        run.save_config(data.config)
        run.drop_spec()
        return cls(data, run, manifest)

    def tasks(self, at_a_time: int, first: int = 0) -> list[TrainingTask]:
        """The training of each member, numbered from `first`; `at_a_time` of them share the memory."""
        path = self.run.path.absolute()
        config, folds = self.data.config, self.data.folds
        members = [member_config(config, i, path, at_a_time, folds) for i in range(config.n_members)]
        by_cycles = chooses_cycles(config)
        if by_cycles:
            rows = self._counted_rows
            length, cycles = first_cycle(rows), min(self.cycles, max_cycles(config, rows))
            members = [with_cycles(member, length, cycles) for member in members]
        return [
            TrainingTask(
                first + i,
                member,
                str(path / member_folder(i)),
                has_joint_epoch(config),
                by_cycles,
                self.executions[i] if self.executions else None,
            )
            for i, member in enumerate(members)
        ]

    def needs_another_cycle(self) -> bool:
        """Whether the members, which are done, are to be trained for another cycle; `cycles` counts it then."""
        rows = self._counted_rows
        if not chooses_cycles(self.data.config) or self.cycles >= max_cycles(self.data.config, rows):
            return False
        with log_duration("choosing the number of cycles"):
            epochs = epochs_of_cycles(rows, self.cycles)
            candidates = read_candidates(self.run.path, self.data, self._candidates, epochs)
            choice = EpochChoice.of(self.data, candidates) if len(candidates) > 1 else None
            if choice is None:
                return False
            decisions = [CycleDecision.of(epochs, part.row_losses()) for part in choices_of_targets(choice, self.data)]
            self.decisions.append(next((each for each in decisions if each.continues), decisions[0]))
        for candidate, actual in zip(candidates, choice.actual, strict=True):
            self._candidates[candidate.epoch] = replace(candidate, predictions=actual.member_predictions)
        self.cycles += self.decisions[-1].continues
        return self.decisions[-1].continues

    @property
    def _counted_rows(self) -> int:
        return counted_rows(self.data.member_rows, self.data.target.n_outputs)

    def finalize(self) -> BuiltEnsemble | None:
        """Build and score the ensemble, and write both to the run directory; None unless all members are done.

        No member may be in training.
        """
        self.run.clear_unfinished_members()
        remove_copied_members(self.run.path, self.data.config.n_members)
        if not all(task.saved().done for task in self.tasks(1)):
            self._close("stopped")
            return None
        data, run = self.data, self.run
        with log_duration("scoring") as stage:
            candidates = read_candidates(run.path, data, self._candidates)
            built = build_ensemble(data, candidates)
            stage.details.append(f"{data.config.n_members:,} members together")
        epochs = tuple(candidates[i].epoch for i in built.candidates)
        if epochs[0]:
            save_members(run.path, built, epochs)
            self.averaged_epochs = epochs
        cycles = [{**asdict(decision), "continues": decision.continues} for decision in self.decisions]
        of_candidates = [candidate.epoch for candidate in candidates]
        self.targets = write_target_runs(run, data, built, of_candidates, self._finished("done"))
        if parts := [*self.targets.values()]:
            validation = [card for part in parts if (card := part.validation_scores) is not None]
            built = replace(
                built,
                training_scores=card_of_targets([part.training_scores for part in parts]),
                validation_scores=card_of_targets(validation) if len(validation) == len(parts) else None,
            )
        built.save(run, data, {"cycles": cycles} if cycles else {})
        models = built.ensemble.members
        features = len({column.name for model in models for column in model.spec.encoder.columns})
        self._close(
            "done",
            members=len(models),
            features=features,
            parameters=sum(model.spec.network.layout.size for model in models),
        )
        return built

    @property
    def best_epoch(self) -> int:
        """The best epoch of the members, the largest if they differ."""
        return max(task.saved().best_epoch for task in self.tasks(1))

    def abort(self, error: BaseException) -> None:
        """Write to the manifest that an error or a second stop signal ended the training."""
        with suppress(NncliError, OSError, MemoryError):  # the first error is the one to report
            self._close("failed" if isinstance(error, Exception) else "stopped")

    def _close(self, status: Status, **more: object) -> None:
        self.run.save_manifest(self._finished(status, **more))

    def _finished(self, status: Status, **more: object) -> Manifest:
        """The manifest at the end."""
        update = {
            "status": status,
            "finished": self.manifest.end_time(),
            "seconds": round((self.manifest.seconds or 0.0) + time.perf_counter() - self.clock, 3),
            "epochs": max(task.saved().epoch for task in self.tasks(1)),
            "best_epoch": self.best_epoch,
        }
        return self.manifest.model_copy(update={**update, **more})


def train_within(
    limit: TimeLimit,
    config: Config,
    requested: Path,
    call: TrainingCall,
) -> Generator[Event, None, None]:
    """Train what fits into the time limit, with the events of a network or of an ensemble.

    Raises:
        NncliError: as for a training.
    """
    if config.is_ensemble:
        check_members(config)
    with Scratch(existing_parent(requested)) as scratch:
        start = time.perf_counter()
        table = load_table(config, config.data, scratch)
        reading = time.perf_counter() - start
        with log_duration("planning for the time limit") as stage:
            plan = plan_within(limit, config, table, reading)
            stage.details.append(plan.decision or "")
        call, config = call.with_findings(plan.findings), plan.config
        if config.is_ensemble:
            yield from train_ensemble(config, requested, call, plan)
        else:
            yield from train_network(
                config,
                requested,
                call.command,
                call.stop,
                findings=call.findings,
                plan=plan,
                replaces=call.replaces,
            )
