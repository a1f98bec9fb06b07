"""Few rows by several networks at once: the bits of each network alone, whatever the networks have in common."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from nncli.base.threads import limit_blas_threads
from nncli.nn.inference import predictor, small_blocks, stacked_predictor
from nncli.nn.inference.predictor import InferenceSession, MemberInput
from nncli.nn.inference.small_blocks import MAX_ROWS, VerifiedSizes
from nncli.nn.inference.stacked_predictor import MemberPredictor
from nncli.nn.network import Network

DENSE = {"type": "dense", "units": 24, "activation": "mish"}
FIELDS: dict[str, Any] = {
    "n_features": 7,
    "numeric_features": [0, 2, 3],
    "numeric_embedding": "piecewise_linear",
    "embeddings": [{"name": "a", "n_embeddings": 6, "width": 2}],
    "layers": [DENSE, DENSE],
    "n_outputs": 2,
}
EQUAL = Network.model_validate(FIELDS)
MORE_CATEGORIES = Network.model_validate({**FIELDS, "embeddings": [{"name": "a", "n_embeddings": 9, "width": 2}]})
OTHER = Network.model_validate({**FIELDS, "layers": [DENSE]})
BOUND = Network.model_validate({**FIELDS, "layers": [DENSE, "batch_norm"]})


def predictors(networks: list[Network]) -> list[InferenceSession]:
    result = []
    for seed, network in enumerate(networks):
        rng = np.random.default_rng(seed)
        parameters = network.initialize(rng)
        parameters.theta[...] += rng.normal(0.0, 0.2, parameters.theta.shape)
        for edges in (view for name, view in parameters.by_name.items() if name == "numeric.edges"):
            edges.sort(axis=1)
        result.append(InferenceSession(network, parameters, final=True))
    return result


def inputs(members: int, rows: int) -> list[MemberInput]:
    rng = np.random.default_rng(rows)
    return [
        MemberInput(rng.normal(size=(rows, 7)).astype(np.float32), rng.integers(0, 6, (rows, 1)))
        for _ in range(members)
    ]


def large_blocks(
    members: list[InferenceSession], given: list[MemberInput], monkeypatch: pytest.MonkeyPatch
) -> list[bytes]:
    """The outputs in blocks of 384 rows alone."""
    with monkeypatch.context() as patch, limit_blas_threads(1):
        patch.setattr(predictor, "MAX_ROWS", -1)
        return [member.run(*item).tobytes() for member, item in zip(members, given, strict=True)]


@pytest.mark.parametrize("rows", [0, 1, 2, 8, 9, 25, 64, MAX_ROWS, MAX_ROWS + 1])
@pytest.mark.parametrize(
    "networks",
    [[EQUAL] * 4, [EQUAL, OTHER, EQUAL, BOUND, OTHER, EQUAL], [EQUAL, MORE_CATEGORIES, OTHER], [BOUND] * 2],
    ids=["equal", "mixed", "categories", "bound"],
)
def test_the_bits_are_those_of_each_network_in_large_blocks(
    networks: list[Network], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    members, given = predictors(networks), inputs(len(networks), rows)
    expected = large_blocks(members, given, monkeypatch)
    together = MemberPredictor(members)
    with limit_blas_threads(1):
        for _ in range(2):
            assert [Z.tobytes() for Z in together.run(given)] == expected
    assert large_blocks(members, given, monkeypatch) == expected  # with the weights side by side


@pytest.mark.parametrize("networks", [[EQUAL] * 3, [EQUAL, MORE_CATEGORIES]])
def test_networks_run_together_whose_layers_have_equal_shapes(
    networks: list[Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    members = predictors(networks)
    together = MemberPredictor(members)
    with limit_blas_threads(1):
        together.run(inputs(len(networks), 5))
        monkeypatch.setattr(InferenceSession, "run", None)
        assert len(together.run(inputs(len(networks), 5))) == len(networks)


@pytest.mark.parametrize("reason", ["bits", "bytes"])
def test_networks_run_alone_if_bits_differ_or_weights_are_large(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "_VERIFIED", VerifiedSizes())
    if reason == "bits":
        monkeypatch.setattr(small_blocks, "has_equal_bits", lambda *args: False)
    else:
        monkeypatch.setattr(stacked_predictor, "MAX_FOLDED_BYTES", 10)
    members, given = predictors([EQUAL] * 3), inputs(3, 5)
    monkeypatch.setattr(stacked_predictor, "ForwardPass", None)
    with limit_blas_threads(1):
        result = MemberPredictor(members).run(given)
    assert [Z.tobytes() for Z in result] == large_blocks(members, given, monkeypatch)


def test_threads_may_share_one() -> None:
    members = predictors([EQUAL] * 4)
    together, many = MemberPredictor(members), [inputs(4, rows) for rows in range(1, 40)]
    with limit_blas_threads(1):
        expected = [[Z.tobytes() for Z in MemberPredictor(members).run(given)] for given in many]
        with ThreadPoolExecutor(4) as pool:
            result = list(pool.map(together.run, many))
    assert [[Z.tobytes() for Z in item] for item in result] == expected
