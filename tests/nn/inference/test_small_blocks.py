"""Small blocks: little padding, and the bits of large ones with every kernel of the BLAS, or not used at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.nn.inference import predictor as predictor_module
from nncli.nn.inference import small_blocks
from nncli.nn.inference.folding import FoldedNetwork, stages_of
from nncli.nn.inference.forward_pass import ForwardPass
from nncli.nn.inference.predictor import BLOCK_ROWS, InferenceSession
from nncli.nn.inference.small_blocks import MAX_ROWS, SIZES, VerifiedSizes, has_equal_bits, plan_blocks
from nncli.nn.network import Network

NETWORK = Network.model_validate(
    {
        "n_features": 7,
        "numeric_features": [0, 2, 3],
        "numeric_embedding": "piecewise_linear",
        "embeddings": [{"name": "a", "n_embeddings": 6, "width": 2}],
        "layers": [{"type": "dense", "units": 24, "activation": "mish"}, {"type": "dense", "units": 24}],
        "n_outputs": 2,
    }
)


@given(st.integers(0, MAX_ROWS))
def test_a_plan_covers_the_rows_with_little_padding(rows: int) -> None:
    plan = plan_blocks(rows)
    total, last = sum(size * count for size, count in plan), plan[-1][0] if plan else 0
    assert all(size in SIZES and count > 0 for size, count in plan)
    assert rows <= total
    assert 2 * (total - rows) < last or total - rows < SIZES[0]
    assert [size for size, _ in plan] == sorted((size for size, _ in plan), reverse=True)


def folded(network: Network) -> FoldedNetwork:
    parameters = network.initialize(np.random.default_rng(0))
    return FoldedNetwork.of(network, stages_of(network) or (), parameters)


def test_a_size_whose_bits_differ_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = stages_of(NETWORK) or ()
    for members in (1, 3):
        assert has_equal_bits(NETWORK, stages, folded(NETWORK), BLOCK_ROWS, BLOCK_ROWS, members)

    class Inexact(ForwardPass):
        def run(self, folded: FoldedNetwork) -> None:
            super().run(folded)
            if len(self.X[0]) == SIZES[0]:
                layer = self.outputs[0][-1]  # of the last network
                layer[-1, -1] = np.nextafter(layer[-1, -1], np.inf)  # one unit in the last row of a block

    monkeypatch.setattr(small_blocks, "ForwardPass", Inexact)
    assert not has_equal_bits(NETWORK, stages, folded(NETWORK), SIZES[0], BLOCK_ROWS)
    assert not has_equal_bits(NETWORK, stages, folded(NETWORK), SIZES[0], BLOCK_ROWS, 3)


@pytest.mark.parametrize("refused", [(), (SIZES[0],), SIZES])
def test_few_rows_are_computed_in_small_blocks_only_if_all_sizes_are_allowed(
    refused: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_blocks, "has_equal_bits", lambda *args: args[3] not in refused)
    monkeypatch.setattr(predictor_module, "_VERIFIED", VerifiedSizes())
    predictor = InferenceSession(NETWORK, NETWORK.initialize(np.random.default_rng(0)), final=True)
    assert predictor.small_blocks(5) == ([(8, 1)] if SIZES[0] not in refused else None)
    assert predictor.small_blocks(16) == ([(16, 1)] if 16 not in refused else None)
    assert predictor.small_blocks(70) == ([(64, 1), (8, 1)] if not refused else None)
    assert predictor.small_blocks(MAX_ROWS + 1) is None


def test_a_size_is_compared_once_for_all_equal_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []

    def compare(*args: Any) -> bool:
        compared.append(args[3])
        return True

    monkeypatch.setattr(small_blocks, "has_equal_bits", compare)
    monkeypatch.setattr(predictor_module, "_VERIFIED", VerifiedSizes())
    for seed in range(3):
        predictor = InferenceSession(NETWORK, NETWORK.initialize(np.random.default_rng(seed)), final=True)
        for rows in (1, 3, 8):
            predictor.run(np.zeros((rows, 7), np.float32), np.zeros((rows, 1), np.int64))
    assert compared == [SIZES[0]]


def test_blocks_of_another_size_and_networks_that_are_not_folded_have_no_small_blocks() -> None:
    parameters = NETWORK.initialize(np.random.default_rng(0))
    assert InferenceSession(NETWORK, parameters, final=True, block_rows=64).small_blocks(5) is None
    assert InferenceSession(NETWORK, parameters).small_blocks(5) is None


PROMISE = """
import sys
import numpy as np
from nncli.nn.inference.stacked_predictor import MemberPredictor
from nncli.nn.inference.predictor import MemberInput
from nncli.nn.network import Network
from nncli.nn.inference.predictor import InferenceSession
from nncli.base.threads import limit_blas_threads

rng = np.random.default_rng(int(sys.argv[1]))
ACTIVATIONS = ("relu", "mish", "gelu", "tanh", "selu", "sigmoid")
with limit_blas_threads(1):
    for _ in range(12):
        features, units, outputs = (int(rng.integers(1, most)) for most in (60, 260, 12))
        embedding = (None, "periodic", "piecewise_linear")[rng.integers(3)]
        network = Network.model_validate({
            "n_features": features,
            "numeric_features": list(range(0, min(features, 30), 2)) if embedding else [],
            "numeric_embedding": embedding,
            "embeddings": [{"name": "a", "n_embeddings": 5, "width": int(rng.integers(1, 9))}],
            "layers": [
                {"type": "dense", "units": units, "activation": ACTIVATIONS[rng.integers(len(ACTIVATIONS))]},
                {"type": "dense", "units": int(rng.integers(1, 260)), "parametrization": "ntk"},
                {"type": "parametric_activation", "activation": ACTIVATIONS[rng.integers(3)]},
            ],
            "n_outputs": outputs,
        })
        members = []
        for _ in range(3):
            parameters = network.initialize(rng)
            parameters.theta[...] += rng.normal(0.0, 0.1, parameters.theta.shape)
            for name, edges in parameters.by_name.items():
                if name == "numeric.edges":
                    edges.sort(axis=1)
            members.append(InferenceSession(network, parameters, final=True))
        predictor, together = members[0], MemberPredictor(members)
        X = rng.normal(0.0, 2.0, size=(400, features)).astype(network.precision)
        codes = rng.integers(0, 5, (400, 1))
        every = [member.run(X, codes) for member in members]
        whole = every[0]
        for count in (1, 2, 3, 7, 8, 9, 16, 17, 40, 64, 65, 130, 192, 193):
            rows = rng.permutation(400)[:count]
            assert (predictor.run(X[rows], codes[rows]) == whole[rows]).all(), (network, count)
        for start in range(64):  # each place in a block of 8
            rows = slice(start, start + 8)
            assert (predictor.run(X[rows], codes[rows]) == whole[rows]).all(), (network, start)
            found = together.run([MemberInput(X[rows], codes[rows])] * 3)
            assert all((Z == expected[rows]).all() for Z, expected in zip(found, every)), (network, start)
"""
KERNELS = ("Prescott", "Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX", "Cooperlake", "Sapphirerapids")


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_bits_of_a_row_are_the_same_in_blocks_of_all_sizes_with_any_kernel(kernel: str, threads: str) -> None:
    environment = {**os.environ, "OPENBLAS_CORETYPE": kernel, "OPENBLAS_NUM_THREADS": threads}
    command = [sys.executable, "-c", PROMISE, str(KERNELS.index(kernel))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode in (-signal.SIGILL, -signal.SIGSEGV):
        pytest.skip(f"this OpenBLAS cannot be {kernel} on this processor")
    assert done.returncode == 0, done.stderr
