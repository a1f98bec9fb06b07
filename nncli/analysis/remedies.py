"""Measure what the remedies of a diagnosis do to the score of a run: each is trained on the same folds, shortly.

A remedy is scored as a run is: by the averaged predictions of the networks of the best epochs on rows that they were
not trained on. A run that took longer than a minute is shortened, and so is each remedy, to compare alike with
alike.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nncli.analysis.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.analysis.evaluation.pairwise import comparable_run, shared_losses
from nncli.analysis.evaluation.threshold_analysis import analyze_threshold
from nncli.base.errors import NncliError
from nncli.base.findings import FindingCode
from nncli.base.logs import format_duration, log_duration
from nncli.base.scratch import scratch_folder
from nncli.base.text import format_number
from nncli.config.loading import load_config
from nncli.config.schema import Config
from nncli.fitting.checks.training_problem import TrainingProblem
from nncli.fitting.ensemble.out_of_fold import recorded_folds
from nncli.fitting.ensemble.train import RecordedMembers, train_ensemble
from nncli.fitting.prepare.load import table_copies
from nncli.fitting.train.events import Finished
from nncli.fitting.train.single import train_network
from nncli.fitting.training_call import TrainingCall
from nncli.models.scores import parts_of
from nncli.run_directory.filenames import CONFIG
from nncli.run_directory.manifest import Manifest
from nncli.run_directory.remedies import MeasuredRemedy
from nncli.run_directory.run import Run
from nncli.targets.threshold_goals import HighestF1, MinRecall

SECONDS = 60.0
"""Seconds of a training from which it is shortened; a remedy that takes twice as long is not measured."""
BALANCED = "balanced_accuracy"
PREFIX = "nncli-remedies-"


class _TooLongError(Exception):
    """A training takes longer than it may."""


def measure_remedies(path: Path, problems: Sequence[TrainingProblem]) -> Iterator[MeasuredRemedy]:
    """Measure the remedies of the problems of a run, in their order; those that have none are left out.

    Raises:
        NncliError: the run cannot be scored, as its table is not there or it has no held-out rows.
    """
    problems = [problem for problem in problems if problem.assignments or problem.goal]
    if not problems:
        return
    run = Run.open(path)
    manifest = run.load_manifest()
    before, share = predict_held_out(path), min(1.0, SECONDS / max(manifest.seconds or 0.0, 1.0))
    with scratch_folder(PREFIX) as folder:
        if share < 1.0 and any(problem.assignments for problem in problems):
            before = _trained(path, (), share, folder / "as-it-is") or before
        for i, problem in enumerate(problems):
            unmeasured = MeasuredRemedy(problem.code, problem.assignments, problem.goal, is_short=share < 1.0)
            try:
                with log_duration(f"trying {unmeasured.options}"):
                    yield (
                        _threshold(run, manifest, problem)
                        if problem.goal
                        else _compare(unmeasured, before, _trained(path, problem.assignments, share, folder / str(i)))
                    )
            except NncliError as error:
                yield replace(unmeasured, reason=error.message)
            except _TooLongError:
                yield replace(unmeasured, reason=f"it takes longer than {format_duration(2.0 * SECONDS)}")


def _threshold(run: Run, manifest: Manifest, problem: TrainingProblem) -> MeasuredRemedy:
    """The recall or the F1 of a class by a threshold that is chosen for it, beside that without, both of new rows."""
    rows, positive = run.load_held_out(), problem.goal[-1]
    unmeasured = MeasuredRemedy(problem.code, (), problem.goal, higher_is_better=True)
    if rows is None:
        return replace(unmeasured, reason="the run keeps no held-out rows")
    name, goal = ("f1", HighestF1()) if "--f1" in problem.goal else ("recall", MinRecall(value=float(problem.goal[1])))
    analysis = analyze_threshold(run, manifest, rows, rows.predictions.target, positive, goal)
    before, after = ({figure.name: figure.value for figure in of} for of in (analysis.most_probable, analysis.achieved))
    measure = f"{name} of {positive}, at a precision of {format_number(after['precision'])},"
    return replace(unmeasured, measure=measure, rows=analysis.rows, before=before[name], after=after[name])


def _compare(remedy: MeasuredRemedy, before: HeldOutPredictions, after: HeldOutPredictions) -> MeasuredRemedy:
    """The remedy with the mean losses of the held-out rows that both trainings share.

    Where a class is missed, it is the balanced accuracy: the log loss is best for the class shares.
    """
    if remedy.code is FindingCode.CLASS_NEVER_PREDICTED:
        of = [dict(parts_of(held_out.scores)[0].values).get(BALANCED) for held_out in (before, after)]
        balanced = replace(remedy, measure="balanced accuracy", rows=len(before), higher_is_better=True)
        return replace(balanced, before=of[0], after=of[1])
    a, b = comparable_run(before), comparable_run(after)
    shared = None if a is None or b is None else shared_losses(a, b)
    if shared is None:
        return replace(remedy, reason="the trainings share no held-out rows")
    interval = shared.test.interval
    return replace(
        remedy,
        measure=shared.measure,
        rows=shared.rows,
        before=shared.a,
        after=shared.b,
        low=None if interval is None or not np.isfinite(interval.low) else interval.low,
        high=None if interval is None or not np.isfinite(interval.high) else interval.high,
    )


def _trained(path: Path, assignments: Sequence[str], share: float, again: Path) -> HeldOutPredictions:
    """Train a run with other settings, as `nncli train RUN/config.yaml` does, and predict its held-out rows.

    Raises:
        NncliError: the training cannot start, or diverges.
        _TooLongError: it takes longer than it may.
    """
    config = load_config(path / CONFIG, assignments).model_copy(update={"time_limit": None, "private": False})
    config = _shortened(config, share) if share < 1.0 else config
    end = time.monotonic() + 2.0 * SECONDS

    def stop() -> bool:
        return time.monotonic() > end

    with table_copies(config, again.parent):
        if config.is_ensemble:
            folds = recorded_folds(path, config) if Run.open(path).load_manifest().members > 1 else config.n_members
            members = RecordedMembers((), folds)
            events = train_ensemble(config, again, TrainingCall(stop=stop), recorded=members)
        else:
            events = train_network(config, again, stop=stop)
        finished = [event for event in events if isinstance(event, Finished)]
        if not finished or finished[-1].status != "done":
            raise _TooLongError
        return predict_held_out(again)


def _shortened(config: Config, share: float) -> Config:
    """The configuration for that share of the time: fewer networks on the same folds, then fewer epochs."""
    update: dict[str, object] = {}
    if config.is_ensemble:
        members = max(2, int(share * config.n_members))
        update["members"], share = members, min(1.0, share * config.n_members / members)
    if config.epochs != "auto":
        update["epochs"] = max(1, round(share * config.epochs))
    return config.model_copy(update=update)
