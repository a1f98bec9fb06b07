"""The numbers that the page of a trace is drawn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli import train
from nncli.analysis.trace_history import CONTOURS, CURVE, MAX_STEPS, PATH_STEPS, SURFACE, training_history
from nncli.api.options import TraceOptions
from nncli.api.trace import _new_state, _prepared
from nncli.models.model import Model
from nncli.run_directory.run import Run

ROOT = Path(__file__).parents[2]
REGRESSION = ROOT / "configs" / "linear-regression.yaml"
TABLE = np.loadtxt(ROOT / "data" / "linear.csv", delimiter=",", skiprows=1)


def history_of(config: str | Path, *settings: str, target: str = "") -> dict[str, Any]:
    options = TraceOptions(set=settings, target=(target,) if target else ())
    with _prepared(config, options) as (_, prepared, _, _):
        return training_history(
            prepared.arguments, lambda: _new_state(prepared), prepared.fitted, prepared.validation_set
        )


@pytest.mark.slow
def test_the_last_weights_are_those_of_the_training(here: Path) -> None:
    settings = ("epochs=20", "backend=numpy")
    history = history_of(REGRESSION, *settings)
    run = train(REGRESSION, set=settings)
    model = Run(run.run).load_model()
    assert isinstance(model, Model)
    assert run.best_epoch == 20
    last = history["snapshots"][-1]
    assert (history["steps"], last["step"], len(history["losses"])) == (80, 80, 80)
    for name, values in last["weights"].items():
        assert np.allclose(values, model.parameters.by_name[name], rtol=1e-4)
    weights = model.parameters.by_name
    errors = TABLE[:, :2] @ weights["output.weight"] + weights["output.bias"] - TABLE[:, 2:]
    assert last["loss"] == pytest.approx(float((errors**2).mean()), rel=1e-5)
    steps = [snapshot["step"] for snapshot in history["snapshots"]]
    assert steps == sorted(set(steps))
    assert steps[:4] == [0, 1, 2, 3]


def test_of_three_learning_rates_the_last_diverges_and_the_others_do_not(here: Path) -> None:
    descent = history_of(REGRESSION, "epochs=2")["descent"]
    assert descent["axes"] == ["w1", "w2"]
    assert len(descent["surface"]) == CONTOURS**2
    rates = [chart["rate"] for chart in descent["charts"]]
    assert rates == sorted(rates)
    assert rates[1] < 2.0 / descent["curvature"] < rates[2]
    for chart in descent["charts"]:
        full, mini, single = chart["paths"]
        assert (full["batch_size"], mini["batch_size"], single["batch_size"]) == (128, 32, 1)
        assert full["diverges"] == (chart is descent["charts"][2])
        assert full["points"][0] == mini["points"][0] == single["points"][0]
        assert full["diverges"] or len(full["points"]) == PATH_STEPS + 1


def test_the_lowest_point_of_the_surface_is_the_least_squares_solution(here: Path) -> None:
    design = np.c_[TABLE[:, :2], np.ones(len(TABLE))]
    solution = np.linalg.lstsq(design, TABLE[:, 2], rcond=None)[0]
    descent = history_of(REGRESSION, "epochs=2")["descent"]
    assert np.allclose(descent["best"], solution, atol=1e-3)
    middle = CONTOURS // 2 * CONTOURS + CONTOURS // 2
    assert np.argmin(descent["surface"]) == middle
    residual = TABLE[:, 2] - design @ solution
    assert descent["surface"][middle] == pytest.approx(float((residual**2).mean()), rel=1e-3)


@pytest.mark.slow
def test_fits_of_one_and_two_inputs_are_drawn_and_of_more_are_not(here: Path) -> None:
    x = np.linspace(-1.0, 1.0, 40)
    Path("one.csv").write_text("x,y\n" + "".join(f"{v},{v * v}\n" for v in x), "utf-8")
    one = history_of("one.csv", "preset=textbook", "layers=[4]", "epochs=2", target="y")
    assert len(one["snapshots"][-1]["fit"]) == CURVE
    assert one["descent"] is None
    assert set(one["snapshots"][0]["weights"]) == {"layers.0.weight", "layers.0.bias", "output.weight", "output.bias"}
    line = history_of("one.csv", "preset=textbook", "layers=[]", "epochs=2", target="y")
    assert line["descent"]["axes"] == ["w", "b"]
    two = history_of(ROOT / "configs" / "xor.yaml", "epochs=2")
    assert len(two["snapshots"][-1]["fit"]) == SURFACE**2
    assert all(0.0 <= value <= 1.0 for value in two["snapshots"][-1]["fit"])
    many = history_of(ROOT / "configs" / "penguins.yaml", "epochs=2")
    assert many["snapshots"][-1]["fit"] is many["X"] is many["grid"] is None


def test_a_training_that_diverges_is_recorded_up_to_there(here: Path) -> None:
    history = history_of(REGRESSION, "learning_rate=10")
    assert history["diverged"]
    assert 1 < len(history["losses"]) < MAX_STEPS
