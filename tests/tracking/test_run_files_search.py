"""Tracking a search: a run with a child for every trial."""

from __future__ import annotations

from pathlib import Path

from nncli.base.findings import FindingCode
from nncli.tracking.run_files import SearchTracking, TrackedSearch, TrackedTrial, track_search
from nncli.tracking.tracker import TrackedRun, parse_trackers
from nncli.tracking.tracker_thread import CloseTimeouts
from tests.tracking.support import Memory, scalars

SEARCH = TrackedSearch(TrackedRun("key", "search", 100.0, (("epochs", 5),)), "log_loss")
TRIALS = (
    TrackedTrial(0, (("learning_rate", 0.1),), "complete", 0.5, 100.0, 110.0),
    TrackedTrial(1, (("learning_rate", 0.2),), "complete", 0.4, 100.0, 120.0),
    TrackedTrial(2, (("learning_rate", 0.3),), "pruned", 0.1, 110.0, 130.0),
    TrackedTrial(3, (("learning_rate", 9.0),), "failed", None, 110.0, 125.0),
)


def test_every_trial_is_a_child_with_its_values_and_its_state() -> None:
    memory = Memory()
    track_search(SEARCH, TRIALS, "done", memory)
    assert [*memory.runs] == ["search", *(f"search/trials/000{i}" for i in range(4))]
    pruned = memory.runs["search/trials/0002"]
    assert pruned.parent == SEARCH.run
    assert dict(pruned.parameters) == {"learning_rate": 0.3, "trial.state": "pruned"}
    assert dict(pruned.tags) == {"nncli.trial": "2", "nncli.trial.state": "pruned"}
    assert [memory.endings[name].outcome for name in memory.runs] == ["done", "done", "done", "done", "failed"]
    assert [score.value for score in memory.endings["search/trials/0001"].scores] == [0.4]
    assert not memory.endings["search/trials/0003"].scores


def test_the_search_has_the_scores_of_its_trials_and_the_best_so_far() -> None:
    memory = Memory()
    track_search(SEARCH, TRIALS, "stopped", memory)
    assert memory.values("search", "log_loss") == {0: 0.5, 1: 0.4}
    assert memory.values("search", "best_log_loss") == {0: 0.5, 1: 0.4, 2: 0.4, 3: 0.4}
    ending = memory.endings["search"]
    assert (ending.outcome, ending.time) == ("stopped", 130.0)
    assert [(score.metric, score.value) for score in ending.scores] == [("best_trial", 1.0)]


def test_a_higher_score_can_be_the_better_one() -> None:
    memory = Memory()
    track_search(TrackedSearch(SEARCH.run, "r2"), TRIALS, "done", memory)
    assert memory.values("search", "best_r2") == {0: 0.5, 1: 0.5, 2: 0.5, 3: 0.5}


def test_a_search_that_runs_is_written_as_one_that_has_ended(tmp_path: Path) -> None:
    (live,), (later,) = (parse_trackers([f"tensorboard={tmp_path / name}"]) for name in ("live", "later"))
    tracking = SearchTracking([live], tmp_path / "search", SEARCH)
    for trial in TRIALS:
        tracking.add(trial)
    assert tracking.end("done") == ()
    tracker = later.open(tmp_path / "search")
    track_search(SEARCH, TRIALS, "done", tracker)
    tracker.close()
    for folder in ("search", "search/trials/0001", "search/trials/0002"):
        assert scalars(tmp_path / "live" / folder) == scalars(tmp_path / "later" / folder) != {}


def test_a_search_that_is_resumed_has_every_trial_once(tmp_path: Path) -> None:
    choices = parse_trackers([f"tensorboard={tmp_path}"])
    for count in (2, 4):
        tracking = SearchTracking(choices, tmp_path / "search", SEARCH)
        for trial in TRIALS[:count]:
            tracking.add(trial)
        assert tracking.end("stopped" if count == 2 else "done") == ()
    assert [step for step, _, _ in scalars(tmp_path / "search")["best_log_loss"]] == [0, 1, 2, 3]


def test_a_tracker_that_fails_is_one_warning(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    good = tmp_path / "good"
    choices = parse_trackers([f"tensorboard={tmp_path / 'file' / 'logs'}", f"tensorboard={good}"])
    tracking = SearchTracking(choices, tmp_path / "search", SEARCH)
    for trial in TRIALS:
        tracking.add(trial)
    findings = [*tracking.failures(), *tracking.end("done", timeouts=CloseTimeouts(30.0, 30.0, 30.0))]
    assert [finding.code for finding in findings] == [FindingCode.TRACKING]
    assert tracking.failures() == ()
    assert len(scalars(good / "search")["best_log_loss"]) == 4
