"""How many threads there are is decided by the size of the products, and by nothing in the environment."""

from __future__ import annotations

from typing import Any

import pytest

from nncli.fitting.prepare.execution import MIN_PARALLEL_MULTIPLICATIONS, Threads, choose_threads
from nncli.nn.network import Network


def network_of(*layers: Any) -> Network:
    return Network.model_validate({"n_features": 64, "layers": layers, "n_outputs": 1})


@pytest.mark.parametrize("wanted", [1, 2, 7])
def test_what_was_asked_for_is_given_in_parts_of_the_batch(wanted: int) -> None:
    assert choose_threads(wanted, network_of(4), 32) == Threads(n_shards=wanted, blas=1)
    assert choose_threads(wanted, network_of(2048, 2048), 4096) == Threads(n_shards=wanted, blas=1)


def test_a_batch_falls_into_no_more_parts_than_it_has_rows() -> None:
    assert choose_threads(7, network_of(4), 3) == Threads(n_shards=3, blas=1)


@pytest.mark.parametrize("layers", [("batch_norm",), (4, {"type": "residual", "layers": [4, "batch_norm"]})])
@pytest.mark.parametrize("wanted", [1, 2])
def test_where_rows_depend_on_each_other_the_threads_are_the_products(layers: tuple[Any, ...], wanted: int) -> None:
    assert choose_threads(wanted, network_of(*layers), 32) == Threads(n_shards=1, blas=wanted)


def test_short_steps_get_one_thread() -> None:
    assert choose_threads("auto", network_of(64, 32), 32) == Threads(n_shards=1, blas=1)
    assert choose_threads("auto", network_of(), 1) == Threads(n_shards=1, blas=1)


@pytest.mark.parametrize("cores", [1, 2, 64])
def test_long_steps_get_two_whatever_the_machine(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    network = network_of(2048, 2048)
    enough = -(-MIN_PARALLEL_MULTIPLICATIONS // network.layout.n_decayed)
    assert choose_threads("auto", network, enough) == Threads(n_shards=2, blas=1)
    assert choose_threads("auto", network, enough - 1) == Threads(n_shards=1, blas=1)


def test_products_of_just_the_size_that_pays_get_the_threads() -> None:
    network = Network.model_validate({"n_features": 64, "layers": (), "n_outputs": 1})
    assert choose_threads("auto", network, MIN_PARALLEL_MULTIPLICATIONS // 64).n_shards == 2


@pytest.mark.parametrize("name", ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    network = network_of(2048, 2048)
    before = choose_threads("auto", network, 4096)
    monkeypatch.setenv(name, "1")
    assert choose_threads("auto", network, 4096) == before
