"""Which trainings the compiled loops know, what keeps them from the others, and what keeps Numba from working."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Literal

import pytest

from nncli.nn.activations import ElementwiseActivation, Relu
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.residual import Layer
from nncli.nn.losses import CrossEntropyLoss, LossBase, MSELoss
from nncli.nn.network import Network
from nncli.nn.optim.optimizers import Adam, AdamW, Optimizer, OptimizerBase, Sgd
from nncli.nn.training.compiled import support as backend
from nncli.nn.training.compiled.support import (
    LONG_STEP_MULTIPLICATIONS,
    STARTUP_SECONDS,
    is_worthwhile,
    load,
    unsupported_reason,
)
from tests.cli.support import ROOT
from tests.unions import members, plain_losses, tag

KNOWN_ACTIVATIONS = {"identity", "relu", "leaky_relu", "sigmoid", "tanh", "elu", "selu", "gelu", "silu", "mish"}
KNOWN_LAYERS = {"dense", "scale", "activation", "parametric_activation", "dropout"}
KNOWN_LOSSES = {"mse", "cross_entropy", "quantile", "quantiles"}
KNOWN_OPTIMIZERS = {"sgd", "adam", "adamw"}


def network_of(*layers: Any, **options: Any) -> Network:
    return Network.model_validate({"n_features": 3, "layers": layers, "n_outputs": 1} | options)


def found(network: Network, loss: LossBase | None = None, optimizer: OptimizerBase | None = None) -> str | None:
    return unsupported_reason(network, loss or MSELoss(), optimizer or Adam())


@pytest.mark.parametrize("cls", members(ElementwiseActivation), ids=tag)
def test_an_activation_is_known_or_named(cls: Any) -> None:
    expected = None if tag(cls) in KNOWN_ACTIVATIONS else f"the activation {tag(cls)}"
    assert found(network_of(4, {"type": "dense", "units": 3, "activation": tag(cls)})) == expected


@pytest.mark.parametrize("cls", members(Layer), ids=tag)
def test_a_layer_is_known_or_named(cls: Any) -> None:
    needs: dict[str, Any] = {"dense": {"units": 2}, "residual": {"layers": [4]}}
    needs |= {name: {"activation": "relu"} for name in ("activation", "parametric_activation")}
    expected = None if tag(cls) in KNOWN_LAYERS else f"a layer of type {tag(cls)}"
    line = {"type": "dense", "units": 4, "activation": "identity"}
    assert found(network_of(line, {"type": tag(cls)} | needs.get(tag(cls), {}))) == expected


@pytest.mark.parametrize("cls", plain_losses(), ids=tag)
def test_a_loss_is_known_or_named(cls: Any) -> None:
    assert found(network_of(), cls()) == (None if tag(cls) in KNOWN_LOSSES else tag(cls))


@pytest.mark.parametrize("cls", members(Optimizer), ids=tag)
def test_an_optimizer_is_known_or_named(cls: Any) -> None:
    assert found(network_of(), CrossEntropyLoss(), cls()) == (None if tag(cls) in KNOWN_OPTIMIZERS else tag(cls))


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (AdamW.model_validate({"param_groups": {"bias": {"learning_rate_multiplier": 0.1}}}), None),
        (AdamW(decay_schedule="flat_cosine"), None),
    ],
)
def test_an_unsupported_option_of_an_optimizer_is_named(optimizer: OptimizerBase, expected: str | None) -> None:
    assert found(network_of(), CrossEntropyLoss(), optimizer) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, None),
        ({"precision": "float64"}, "precision float64"),
        ({"output_activation": "sigmoid"}, "an output_activation"),
        ({"embeddings": [{"name": "a", "n_embeddings": 3, "width": 2}]}, None),
        ({"numeric_features": [0], "numeric_embedding": "piecewise_linear"}, None),
        ({"numeric_features": [0], "numeric_embedding": "periodic"}, "a numeric_embedding of type periodic"),
        ({"numeric_features": [], "numeric_embedding": "periodic"}, None),
        ({"output_parametrization": "ntk"}, None),
        ({"output_parametrization": "standard", "output_init": "data_dependent"}, None),
        ({"n_features": 0, "embeddings": [{"name": "a", "n_embeddings": 3, "width": 2}]}, None),
        ({"n_features": 0}, "a network without inputs"),
    ],
)
def test_an_unsupported_option_of_a_network_is_named(options: dict[str, Any], expected: str | None) -> None:
    assert found(network_of(4, **options)) == expected


def test_compiling_is_worthwhile_from_enough_steps_on() -> None:
    network = network_of(64)
    assert not is_worthwhile(network, 32, 1)
    assert is_worthwhile(network, 32, 10**6)
    assert is_worthwhile(network, 32, int(STARTUP_SECONDS / backend.SECONDS_SAVED_PER_STEP))
    assert is_worthwhile(network_of(512), 4096, 3 * 10**4) > is_worthwhile(network_of(4), 4, 3 * 10**4)


def test_compiling_is_worthwhile_sooner_where_values_are_embedded_or_masked() -> None:
    line, dropout = {"type": "dense", "units": 64, "activation": "relu"}, {"type": "dropout", "rate": 0.1}
    embedding = {"embeddings": [{"name": "a", "n_embeddings": 3, "width": 64}]}
    plain = network_of(line)
    steps = next(steps for steps in range(1, 10**6, 1000) if is_worthwhile(plain, 32, steps))
    for network in (network_of(line, dropout), network_of(line, **embedding)):
        assert is_worthwhile(network, 32, steps * 9 // 10)
        assert not is_worthwhile(network, 32, 10)
    assert not is_worthwhile(plain, 32, steps * 9 // 10)


def test_compiling_is_not_worthwhile_for_long_steps() -> None:
    network = network_of(512)
    longest = (LONG_STEP_MULTIPLICATIONS - 1) // network.layout.n_decayed
    assert is_worthwhile(network, longest, 10**6)
    assert not is_worthwhile(network, longest + 1, 10**6)


# --- what keeps Numba from working


@pytest.mark.parametrize("missing", ["numba", "scipy"])
def test_a_missing_package_is_reported_with_a_hint(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setattr(backend, "find_spec", lambda name: None if name == missing else object())
    assert load("numpy") is None
    obstacle = load("numba")
    assert obstacle is not None
    assert obstacle.what == "Numba is not installed"
    assert "nncli-train[fast]" in obstacle.hint


def loaded(before: str) -> str:
    """What `load` says in a process of its own, where `before` was done first."""
    program = f"import os, sys\n{before}\nfrom nncli.nn.training.compiled.support import load\nprint(load('numba'))"
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.slow
def test_a_numba_that_cannot_be_imported_is_reported() -> None:
    pytest.importorskip("numba")
    assert "cannot be imported" in loaded("sys.modules['scipy.linalg'] = None")


@pytest.mark.slow
def test_a_missing_cache_folder_is_reported_with_a_hint() -> None:
    pytest.importorskip("numba")
    nowhere = "os.environ |= {'NUMBA_CACHE_DIR': '/dev/null/x'}\n"
    nowhere += "import numba.core.caching as c; c.CacheImpl._locator_classes = [c.UserProvidedCacheLocator]"
    assert "NUMBA_CACHE_DIR" in loaded(nowhere)


@pytest.mark.slow
def test_a_disabled_jit_is_reported() -> None:
    pytest.importorskip("numba")
    assert "NUMBA_DISABLE_JIT" in loaded("os.environ['NUMBA_DISABLE_JIT'] = '1'")


@pytest.mark.slow
def test_an_installed_numba_is_no_problem() -> None:
    pytest.importorskip("numba")
    pytest.importorskip("scipy")
    assert loaded("") == "None"


class OtherError(MSELoss):
    type: Literal["other_error"] = "other_error"  # type: ignore[assignment]


class OtherSgd(Sgd):
    type: Literal["other_sgd"] = "other_sgd"  # type: ignore[assignment]


class OtherDense(Dense):
    type: Literal["other_dense"] = "other_dense"  # type: ignore[assignment]


class OtherRelu(Relu):
    type: Literal["other_relu"] = "other_relu"  # type: ignore[assignment]


def test_a_part_of_a_plugin_runs_by_itself_whatever_it_inherits() -> None:
    assert found(network_of(), OtherError()) == "other_error, which is of a plugin"
    assert found(network_of(), CrossEntropyLoss(), OtherSgd()) == "other_sgd, which is of a plugin"
    for layer, name in (
        (OtherDense(units=3), "other_dense"),
        (Dense.model_construct(units=3, activation=OtherRelu()), "other_relu"),
    ):
        network = network_of().model_copy(update={"layers": (layer,)})
        assert found(network) == f"{name}, which is of a plugin"
