"""Cycle by cycle: the out-of-fold rows choose how long an ensemble is trained."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from nncli import train
from nncli.config.loading import load_config
from nncli.fitting.ensemble import train as cycles
from nncli.fitting.ensemble.build import snapshot_epochs
from nncli.fitting.ensemble.out_of_fold import chooses_cycles
from nncli.fitting.ensemble.train import CycleDecision
from nncli.fitting.prepare import auto_values
from nncli.nn.optim.schedules import CoslogRate
from nncli.run_directory.manifest import CONFIG
from nncli.run_directory.run import Run
from tests.api.ensembles import bits, config_of, written
from tests.api.test_several_targets import TARGETS, table_of, train_on

BY_CYCLES = ("learning_rate={type: coslog, peak: 0.02, first_cycle: auto}", "epochs=auto", "members=3")
STEPS = 15
"""Steps of an epoch of a member."""


@pytest.fixture
def short_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto_values, "MAX_FIRST_CYCLE", 2)


@pytest.fixture
def always_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cycles, "MIN_STANDARD_ERRORS", -np.inf)


def test_a_cycle_that_lowers_the_loss_by_much_more_than_its_error_is_followed_by_another() -> None:
    first, second = np.array([1.0, 2.0, 3.0, 2.0]), np.array([0.0, 2.0, 1.0, 1.0])
    decision = CycleDecision.of(51, [first + 1.0, first, second])
    # the decreases are 1, 0, 2 and 1: their mean is 1, their standard deviation sqrt(2/3)
    assert (decision.cycles, decision.epochs, decision.loss, decision.decrease) == (3, 51, 1.0, 1.0)
    assert decision.standard_error == pytest.approx(np.sqrt(2.0 / 3.0) / 2.0)
    assert decision.continues


@pytest.mark.parametrize("losses", [[[1.0, 2.0], [1.0, 2.0]], [[1.0, 1.0], [2.0, 2.0]], [[1.0, 3.0], [2.9, 1.0]]])
def test_a_cycle_that_does_not_clearly_lower_the_loss_is_the_last(losses: list[list[float]]) -> None:
    assert not CycleDecision.of(51, [np.array(loss) for loss in losses]).continues


def test_explicit_epochs_and_early_stopping_leave_the_cycles_as_they_are(tmp_path: Path) -> None:
    assert chooses_cycles(config_of(tmp_path, *BY_CYCLES))
    assert not chooses_cycles(config_of(tmp_path, *BY_CYCLES, "epochs=6"))
    assert not chooses_cycles(config_of(tmp_path, *BY_CYCLES, "early_stopping={patience: 3}"))
    assert not chooses_cycles(config_of(tmp_path, *BY_CYCLES, "bagging=seeds"))


@pytest.mark.slow
@pytest.mark.usefixtures("short_cycles")
def test_the_decisions_are_recorded_and_the_members_have_as_many_epochs(tmp_path: Path) -> None:
    run = train(written(tmp_path, *BY_CYCLES), output=tmp_path / "run").run
    decisions = json.loads((run / "metrics.json").read_text())["cycles"]
    assert [decision["cycles"] for decision in decisions] == list(range(3, 3 + len(decisions)))
    assert [decision["continues"] for decision in decisions[:-1]] == [True] * (len(decisions) - 1)
    epochs = 2 * (2 ** (decisions[-1]["cycles"] + decisions[-1]["continues"]) - 1)
    for folder in (run / "members").iterdir():
        config = load_config(folder / CONFIG)
        assert (config.epochs, config.learning_rate) == (epochs, CoslogRate(peak=0.02, first_cycle=2.0))
        assert Run(folder).load_manifest().epochs == epochs
    assert load_config(run / CONFIG).epochs == "auto"


@pytest.mark.slow
@pytest.mark.usefixtures("short_cycles", "always_another")
def test_members_trained_cycle_by_cycle_have_the_bits_of_one_training(tmp_path: Path) -> None:
    by_cycles = train(written(tmp_path, *BY_CYCLES), output=tmp_path / "run").run
    assert snapshot_epochs(by_cycles / "members" / "1") == {2, 6, 14, 30}
    at_once = train(written(tmp_path, *BY_CYCLES, "epochs=30"), output=tmp_path / "other").run
    assert bits(by_cycles)[:-1] == bits(at_once)[:-1]


@pytest.mark.slow
@pytest.mark.usefixtures("short_cycles", "always_another")
@pytest.mark.parametrize("stop_epoch", [3, 20])
def test_an_ensemble_that_is_stopped_in_any_cycle_is_resumed_to_the_same_bits(tmp_path: Path, stop_epoch: int) -> None:
    config = written(tmp_path, *BY_CYCLES, "workers=1", "checkpoint={every: 1 epoch}")
    whole, run = train(config, output=tmp_path / "whole").run, tmp_path / "run"

    def stop() -> bool:
        checkpoints = sorted((run / "members" / "2" / "checkpoints").glob("*.safetensors"))
        return bool(checkpoints) and int(checkpoints[-1].stem) >= stop_epoch * STEPS

    assert train(config, output=run, stop=stop).status == "stopped"
    assert Run(run / "members" / "2").load_manifest().epochs in (stop_epoch, stop_epoch + 1)
    assert train(resume=run).status == "done"
    assert bits(run) == bits(whole)


@pytest.mark.slow
@pytest.mark.usefixtures("short_cycles")
def test_several_targets_are_trained_for_another_cycle_if_any_of_them_gains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, asked = table_of(), list[int]()
    rows = [table[name].count() for name in TARGETS]

    def decide(epochs: int, losses: list[npt.NDArray[np.float64]]) -> CycleDecision:
        asked.append(len(losses[0]))
        gains = len(losses) == 3 and len(losses[0]) == rows[-1]
        return CycleDecision(len(losses), epochs, 1.0, 1.0 if gains else -1.0, 0.1)

    monkeypatch.setattr(CycleDecision, "of", staticmethod(decide))
    run = train_on(tmp_path, "layers=[4]", *BY_CYCLES, frame=table)
    decisions = json.loads((run / "metrics.json").read_text())["cycles"]
    assert [decision["continues"] for decision in decisions] == [True, False]
    assert asked == [*rows, *rows]
