"""The number of threads of a training.

A batch is split into shards, one thread each, and the BLAS has one thread; only if rows depend on each other, as in
batch normalization, the BLAS's own threads share the matrix products instead. A second thread pays off in long steps;
in short steps the threads wait for each other longer than they compute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nncli.nn.network import Network

MIN_PARALLEL_MULTIPLICATIONS = 1 << 24
"""Multiplications in the forward pass of a batch above which two threads pay off; measured on two cores."""
DEFAULT_SHARDS = 2
"""Shards of a batch by default: the same on every machine, since it affects the last bits."""


@dataclass(frozen=True)
class Threads:
    """The number of shards of a batch, one thread each, and of BLAS threads; one of the two is 1."""

    n_shards: int
    blas: int


def choose_threads(threads: int | Literal["auto"], network: Network, batch_rows: int) -> Threads:
    """The number of threads that the configuration names; with auto `DEFAULT_SHARDS` for long steps, else 1.

    It depends on the configuration and the network alone, not on the machine, so that the same training has the same
    bits on any number of cores.
    """
    if threads == "auto":
        threads = 1 if batch_rows * network.layout.n_decayed < MIN_PARALLEL_MULTIPLICATIONS else DEFAULT_SHARDS
    if network.mixes_rows:
        return Threads(n_shards=1, blas=threads)
    return Threads(n_shards=min(threads, batch_rows), blas=1)
