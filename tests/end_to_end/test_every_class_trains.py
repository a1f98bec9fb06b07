"""Every name in every union trains through the YAML and predicts afterwards. A new class is covered by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli import predict, train
from nncli.config.loading import load_config
from nncli.nn.activations import Activation, ElementwiseActivation
from nncli.nn.initializers import Initializer
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.residual import Layer, ParametricActivation, Residual
from nncli.nn.layers.sequential import ActivationLayer
from nncli.nn.losses import (
    CoxLoss,
    CrossEntropyLoss,
    GammaLoss,
    HingeLoss,
    LogNormalLoss,
    NegativeBinomialLoss,
    OrdinalLoss,
    PoissonLoss,
    SurvivalLoss,
    TweedieLoss,
    ZeroInflatedPoissonLoss,
)
from nncli.nn.losses.labels import BinaryCrossEntropyLoss
from nncli.nn.optim.optimizers import Optimizer
from nncli.nn.optim.schedules import Schedule
from nncli.run_directory.manifest import CONFIG
from tests.unions import members, plain_losses, tag

NUMBER, CLASS, COUNT, AMOUNT, LABELS = "y", "label", "count", "amount", "tags"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 80))
    frame = pl.DataFrame(
        {
            "x": x,
            "z": [None if n % 9 == 0 else value for n, value in enumerate(z)],
            "town": rng.choice(["Oslo", "Rome", "Lima"], 80),
            NUMBER: x - z,
            CLASS: np.where(x > 0, "alive", "died"),
            COUNT: rng.poisson(3.0, 80),
            AMOUNT: np.exp(x),
            LABELS: ["a|b" if value > 0 else "b" if n % 3 else None for n, value in enumerate(x)],
        }
    )
    path = tmp_path_factory.mktemp("table") / "t.csv"
    frame.write_csv(path)
    return path


def trains(table: Path, folder: Path, target: str, text: str) -> None:
    """Train for two epochs, predict, and read the configuration back."""
    path = folder / "c.yaml"
    path.write_text(
        f"data: {{path: {table}, target: {target}, features: [x, z, town]}}\nepochs: 2\nbatch_size: 16\n{text}"
    )
    finished = train(path, output=folder / "run")
    assert finished.epochs == 2
    answers = predict(finished.run, table)
    assert len(answers) == 80
    if answers.schema["prediction"].is_float() and "event:" not in text:  # a median may be later than all events
        assert answers["prediction"].is_finite().all()
    resolved = load_config(finished.run / CONFIG)
    assert load_config(finished.run / CONFIG, ["epochs=3"]) == resolved.model_copy(update={"epochs": 3})


def of(union: Any) -> list[str]:
    return [tag(cls) for cls in members(union)]


@pytest.mark.parametrize("cls", members(Layer), ids=tag)
def test_every_layer_trains(table: Path, tmp_path: Path, cls: type[Any]) -> None:
    written: dict[type[Any], str] = {
        Dense: "{type: dense, units: 5, bias: false}",
        ActivationLayer: "{type: activation, activation: gelu}",
        ParametricActivation: "{type: parametric_activation, activation: mish}",
        Residual: "{type: residual, layers: [4, batch_norm, 8]}",
    }
    trains(table, tmp_path, NUMBER, f"layers: [8, {written.get(cls, tag(cls))}]")


@pytest.mark.parametrize("name", of(ElementwiseActivation))
def test_every_activation_trains(table: Path, tmp_path: Path, name: str) -> None:
    trains(table, tmp_path, CLASS, f"layers: [8, 8]\nactivation: {name}")


@pytest.mark.parametrize("name", of(Activation))
def test_every_activation_may_be_forced_on_the_output(table: Path, tmp_path: Path, name: str) -> None:
    trains(table, tmp_path, NUMBER, f"layers: [8]\noutput_activation: {name}")


@pytest.mark.parametrize("name", of(Initializer))
def test_every_initializer_trains(table: Path, tmp_path: Path, name: str) -> None:
    trains(table, tmp_path, NUMBER, f"layers: [{{type: dense, units: 4, init: {name}}}]")


@pytest.mark.parametrize("cls", plain_losses(), ids=tag)
def test_every_loss_trains(table: Path, tmp_path: Path, cls: type[Any]) -> None:
    targets: dict[type[Any], str] = {
        CrossEntropyLoss: CLASS,
        HingeLoss: CLASS,
        OrdinalLoss: f"{CLASS}, order: [died, alive]",
        GammaLoss: AMOUNT,
        LogNormalLoss: AMOUNT,
        SurvivalLoss: AMOUNT,
        CoxLoss: AMOUNT,
    }
    targets[BinaryCrossEntropyLoss] = LABELS
    targets |= dict.fromkeys((PoissonLoss, TweedieLoss, NegativeBinomialLoss, ZeroInflatedPoissonLoss), COUNT)
    loss = f"{{type: {tag(cls)}, event: {CLASS}}}" if cls.target_keys else tag(cls)
    trains(table, tmp_path, targets.get(cls, NUMBER), f"layers: [8]\nloss: {loss}")


@pytest.mark.parametrize("name", of(Optimizer))
def test_every_optimizer_trains(table: Path, tmp_path: Path, name: str) -> None:
    trains(table, tmp_path, NUMBER, f"layers: [8]\noptimizer: {name}")


@pytest.mark.parametrize("cls", members(Schedule), ids=tag)
def test_every_schedule_trains(table: Path, tmp_path: Path, cls: type[Any]) -> None:
    warmup_steps = ", warmup_steps: 3" if "warmup_steps" in cls.model_fields else ""
    trains(table, tmp_path, NUMBER, f"layers: [8]\nlearning_rate: {{type: {tag(cls)}, peak: 0.01{warmup_steps}}}")
