"""Prediction in padded blocks: the same numbers as one plain forward pass, and a row's bits its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nncli.nn.embeddings import Embedding
from nncli.nn.inference import predictor as predictor_module
from nncli.nn.inference.predictor import BLOCK_ROWS, MIN_BLOCK_ROWS, InferenceSession, block_rows_for
from nncli.nn.layers.sequential import Dropout
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters

NETWORKS = {
    "linear": Network(n_features=3, layers=(), n_outputs=1),
    "wide": Network.model_validate({"n_features": 20, "layers": [64, 64], "n_outputs": 3}),
    "periodic": Network.model_validate(
        {
            "n_features": 5,
            "numeric_features": [0, 2, 3],
            "numeric_embedding": "periodic",
            "layers": [
                "scale",
                {"type": "dense", "units": 16, "parametrization": "ntk"},
                {"type": "parametric_activation", "activation": "mish"},
                {"type": "dense", "units": 16, "parametrization": "ntk"},
                {"type": "parametric_activation", "activation": "selu"},
            ],
            "n_outputs": 2,
        }
    ),
    "piecewise linear": Network.model_validate(
        {
            "n_features": 3,
            "numeric_features": [0, 1, 2],
            "numeric_embedding": "piecewise_linear",
            "layers": [16],
            "n_outputs": 2,
        }
    ),
    "every layer": Network.model_validate(
        {
            "n_features": 5,
            "embeddings": [{"name": "a", "n_embeddings": 6, "width": 2}, {"name": "b", "n_embeddings": 3, "width": 1}],
            "layers": [
                {"type": "dense", "units": 8, "activation": "gelu"},
                "batch_norm",
                {"type": "residual", "layers": [{"type": "dense", "units": 8, "activation": "relu"}, "layer_norm"]},
                "dropout",
            ],
            "n_outputs": 2,
            "output_activation": "softmax",
        }
    ),
}
every = pytest.mark.parametrize("network", [pytest.param(n, id=name) for name, n in NETWORKS.items()])
bound_and_folded = pytest.mark.parametrize("final", [False, True], ids=["bound", "folded"])


def trained(network: Network) -> Parameters:
    """Parameters as a training might have left them."""
    rng = np.random.default_rng(0)
    parameters = network.initialize(rng)
    parameters.theta[...] += rng.normal(0.0, 0.1, parameters.theta.shape)
    parameters.statistics[...] = rng.uniform(0.5, 1.5, parameters.statistics.shape)
    for edges in (view for name, view in parameters.by_name.items() if name == "numeric.edges"):
        edges.sort(axis=1)
    return parameters


def rows_of(network: Network, count: int, seed: int = 1) -> tuple[NDArray[Any], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    codes = np.zeros((count, len(network.embeddings)), np.int64)
    for i, e in enumerate(network.embeddings):
        codes[:, i] = rng.integers(0, e.n_embeddings, count)
    return rng.normal(size=(count, network.n_features)).astype(network.precision), codes


@every
@bound_and_folded
@pytest.mark.parametrize("count", [1, 2, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 3 * BLOCK_ROWS + 7])
def test_blocks_give_what_one_plain_forward_pass_gives(network: Network, final: bool, count: int) -> None:
    parameters, (X, codes) = trained(network), rows_of(network, count)
    bound = network.bind(parameters, count, training=None)
    bound.X[...], bound.codes[...] = X, codes
    bound.forward()
    for block_rows in (BLOCK_ROWS, block_rows_for(count)):
        result = InferenceSession(network, parameters, final=final, block_rows=block_rows).run(X, codes)
        assert result.shape == (count, network.n_outputs)
        np.testing.assert_allclose(result, bound.Z, rtol=0.0, atol=1e-6 * max(1.0, float(np.abs(bound.Z).max())))


@given(st.integers(0, 10**7))
def test_blocks_of_few_rows_are_small_and_of_many_rows_hardly_padded(rows: int) -> None:
    block_rows = block_rows_for(rows)
    assert block_rows % MIN_BLOCK_ROWS == 0
    assert block_rows <= BLOCK_ROWS
    n_blocks = max(1, -(-rows // block_rows))
    assert n_blocks == max(1, -(-rows // BLOCK_ROWS))
    assert n_blocks * block_rows - rows <= MIN_BLOCK_ROWS * n_blocks + n_blocks


@pytest.mark.slow
@every
@bound_and_folded
def test_the_bits_of_a_row_do_not_depend_on_how_many_rows_follow_it(network: Network, final: bool) -> None:
    inference, (X, codes) = InferenceSession(network, trained(network), final=final), rows_of(network, 600)
    whole = inference.run(X, codes)
    for count in range(1, 601):
        np.testing.assert_array_equal(inference.run(X[:count], codes[:count]), whole[:count])


@every
@bound_and_folded
@pytest.mark.parametrize("place", [0, 5, 6, 255, 500, BLOCK_ROWS - 1])
def test_the_bits_of_a_row_do_not_depend_on_the_values_of_the_others(network: Network, final: bool, place: int) -> None:
    inference, (X, codes) = InferenceSession(network, trained(network), final=final), rows_of(network, 600)
    alone = inference.run(X, codes)[place]
    others, other_codes = rows_of(network, 600, seed=2)
    others[place], other_codes[place] = X[place], codes[place]
    np.testing.assert_array_equal(inference.run(others, other_codes)[place], alone)


@every
@bound_and_folded
def test_the_bits_of_a_row_do_not_depend_on_its_place(network: Network, final: bool) -> None:
    inference, (X, codes) = (
        InferenceSession(network, trained(network), final=final),
        rows_of(network, 2 * BLOCK_ROWS + 7),
    )
    whole = inference.run(X, codes)
    order = np.random.default_rng(5).permutation(len(X))
    np.testing.assert_array_equal(inference.run(X[order], codes[order]), whole[order])
    for row in (0, 1, 11, 12, 255, BLOCK_ROWS, 2 * BLOCK_ROWS + 6):
        np.testing.assert_array_equal(inference.run(X[row : row + 1], codes[row : row + 1])[0], whole[row])


@every
@bound_and_folded
def test_threads_that_share_one_get_the_bits_of_one_alone(network: Network, final: bool) -> None:
    inference, (X, codes) = InferenceSession(network, trained(network), final=final), rows_of(network, 4 * BLOCK_ROWS)
    whole = inference.run(X, codes)
    spans = [slice(start, start + 2 * BLOCK_ROWS) for start in range(0, 2 * BLOCK_ROWS, 31)]
    with ThreadPoolExecutor(4) as pool:
        for span, result in zip(spans, pool.map(lambda span: inference.run(X[span], codes[span]), spans), strict=True):
            np.testing.assert_array_equal(result, whole[span])


PROMISE = """
import numpy as np
from threadpoolctl import threadpool_limits
from nncli.nn.inference.predictor import BLOCK_ROWS, InferenceSession
from nncli.nn.network import Network

rng = np.random.default_rng(0)
for threads in (1, 2):
    with threadpool_limits(threads):
        for features, units in ((1, 1), (5, 33), (14, 100), (257, 300), (100, 512)):
            for embedding in (None, "periodic", "piecewise_linear"):
                numeric = range(0, min(features, 30), 2)
                network = Network(
                    n_features=features,
                    numeric_features=numeric,
                    numeric_embedding=embedding,
                    layers=(units, units),
                    n_outputs=3,
                )
                parameters = network.initialize(rng)
                parameters.theta[...] += rng.normal(0.0, 0.1, parameters.theta.shape)
                for final in (False, True):
                    inference = InferenceSession(network, parameters, final=final)
                    X = np.repeat(rng.normal(size=(1, features)), BLOCK_ROWS + 9, axis=0)
                    Z = inference.run(X, np.empty((len(X), 0), np.int64))
                    assert (Z == Z[0]).all(), (threads, features, units, embedding, final)
"""

PRODUCT = "import numpy as np; A = np.ones((1000, 1000)); [A @ A for _ in range(20)]"


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["Haswell", "Zen", "SkylakeX", "Nehalem", "Sandybridge"])
def test_the_bits_of_a_row_do_not_depend_on_its_place_with_any_kernel_this_machine_runs(kernel: str) -> None:
    environment = {**os.environ, "OPENBLAS_CORETYPE": kernel}
    environment.pop("OPENBLAS_L2_SIZE", None)
    done = subprocess.run(
        [sys.executable, "-c", PROMISE], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode == -signal.SIGILL:
        pytest.skip(f"this processor cannot run the {kernel} kernel")
    if done.returncode == -signal.SIGSEGV:  # OpenBLAS 0.3.34 told to be another processor, on Zen 4: its issue 6021
        alone = subprocess.run([sys.executable, "-c", PRODUCT], env=environment, timeout=120, check=False)
        if alone.returncode == -signal.SIGSEGV:
            pytest.skip(f"this OpenBLAS breaks down as {kernel} on this processor, without nncli too")
    assert done.returncode == 0, done.stderr


@every
@bound_and_folded
def test_a_second_call_remembers_nothing_of_the_first(network: Network, final: bool) -> None:
    parameters = trained(network)
    first, second = rows_of(network, 600), rows_of(network, 70, seed=2)
    fresh = InferenceSession(network, parameters, final=final).run(*second)
    used = InferenceSession(network, parameters, final=final)
    used.run(*first)
    assert used.run(*second).tobytes() == fresh.tobytes()


def test_no_rows_give_no_outputs() -> None:
    network = NETWORKS["every layer"]
    assert InferenceSession(network, trained(network)).run(*rows_of(network, 0)).shape == (0, 2)


def test_the_outputs_go_where_they_are_wanted() -> None:
    network = NETWORKS["wide"]
    inference, rows = InferenceSession(network, trained(network)), rows_of(network, 530)
    out = np.full((530, 3), np.nan)
    assert inference.run(*rows, out=out) is out
    np.testing.assert_array_equal(out, inference.run(*rows))


def test_the_result_is_the_callers_own() -> None:
    network = NETWORKS["wide"]
    inference = InferenceSession(network, trained(network))
    first = inference.run(*rows_of(network, 5))
    before = first.copy()
    inference.run(*rows_of(network, 5, seed=9))
    np.testing.assert_array_equal(first, before)


def test_parameters_are_read_when_run_and_not_when_bound() -> None:
    network = NETWORKS["linear"]
    parameters = trained(network)
    inference, rows = InferenceSession(network, parameters), rows_of(network, 4)
    before = inference.run(*rows)
    parameters.by_name["output.bias"][...] += 1.0
    np.testing.assert_allclose(inference.run(*rows), before + 1.0, rtol=1e-6)


def test_prediction_changes_neither_parameters_nor_input() -> None:
    network = NETWORKS["every layer"]
    parameters, (X, codes) = trained(network), rows_of(network, 9)
    held = (parameters.theta, parameters.grad, parameters.statistics, X, codes)
    before = [a.copy() for a in held]
    InferenceSession(network, parameters).run(X, codes)
    for a, b in zip(held, before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_network_is_folded_only_if_it_is_final_and_its_layers_allow_it() -> None:
    def is_folded(name: str, *, final: bool) -> bool:
        return InferenceSession(NETWORKS[name], trained(NETWORKS[name]), final=final).stages is not None

    assert is_folded("piecewise linear", final=True)
    assert not is_folded("piecewise linear", final=False)
    assert not is_folded("every layer", final=True)


def test_large_folded_weights_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    network = NETWORKS["wide"]
    predictor = InferenceSession(network, trained(network), final=True)
    assert predictor.folded() is predictor.folded()
    monkeypatch.setattr(predictor_module, "MAX_FOLDED_BYTES", 100)
    predictor = InferenceSession(network, trained(network), final=True)
    assert predictor.folded() is not predictor.folded()


def test_dropout_is_off() -> None:
    network = Network(n_features=2, layers=(Dropout(rate=0.9),), n_outputs=1)
    inference, rows = InferenceSession(network, trained(network)), rows_of(network, 30)
    assert inference.run(*rows).tobytes() == inference.run(*rows).tobytes()
    without = Network(n_features=2, layers=(), n_outputs=1)
    np.testing.assert_array_equal(inference.run(*rows), InferenceSession(without, trained(without)).run(*rows))


def test_a_row_that_is_no_number_spoils_only_itself() -> None:
    network = Network(n_features=2, embeddings=(Embedding(name="a", n_embeddings=2, width=1),), layers=(), n_outputs=1)
    inference, (X, codes) = InferenceSession(network, trained(network)), rows_of(network, 8)
    whole = inference.run(X, codes)
    X[3] = np.nan
    result = inference.run(X, codes)
    assert np.isnan(result[3]).all()
    np.testing.assert_array_equal(np.delete(result, 3, axis=0), np.delete(whole, 3, axis=0))


def blocks_of(predictors: list[InferenceSession], X: NDArray[np.float64]) -> list[tuple[str, int]]:
    """The networks of the free blocks after each predictor has run once."""
    codes = np.zeros((len(X), 0), np.int64)
    for each in predictors:
        each.run(X, codes)
    return [key for key, _ in predictor_module.FREE_BLOCKS._blocks]


def test_equal_networks_share_their_buffers_and_keep_their_own_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor_module, "FREE_BLOCKS", predictor_module._FreeBlocks())
    network, X = NETWORKS["wide"], np.random.default_rng(0).normal(size=(5, 20))
    members = [InferenceSession(network, network.initialize(np.random.default_rng(seed))) for seed in range(8)]
    assert len(blocks_of(members, X)) == 1
    codes = np.zeros((5, 0), np.int64)
    alone = []
    for member in members:
        monkeypatch.setattr(predictor_module, "FREE_BLOCKS", predictor_module._FreeBlocks())
        alone.append(member.run(X, codes).tobytes())
    together = [member.run(X, codes).tobytes() for member in members]
    assert together == alone
    assert len({*together}) == 8


def test_the_buffers_of_different_networks_are_kept_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor_module, "FREE_BLOCKS", predictor_module._FreeBlocks())
    networks = [Network(n_features=20, layers=(), n_outputs=n) for n in range(1, 9)]
    members = [InferenceSession(network, network.initialize(np.random.default_rng(0))) for network in networks]
    X = np.zeros((3, 20))
    assert len(blocks_of(members, X)) == 8
    monkeypatch.setattr(predictor_module, "MAX_FREE_BYTES", 1)
    kept = blocks_of(members, X)
    assert [networks[-1].n_outputs] == [Network.model_validate_json(key.partition(" ")[2]).n_outputs for key, _ in kept]


@bound_and_folded
def test_the_bytes_of_the_buffers_are_estimated_to_a_factor_of_two(final: bool) -> None:
    for name in ("wide", "piecewise linear", "periodic") if final else ("wide", "piecewise linear", "every layer"):
        predictor = InferenceSession(NETWORKS[name], trained(NETWORKS[name]), final=final)
        tracemalloc.start()
        block = predictor._block(BLOCK_ROWS)
        used = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert used / 2.5 < block.nbytes < 2.5 * used, (name, used, block.nbytes)
