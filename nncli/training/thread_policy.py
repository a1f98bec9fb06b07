"""How many threads a training gets: a matter of policy, not of what the environment happens to say.

A batch is worked in parts, each on a thread of its own, and the BLAS then has one thread; only where rows depend on
each other, as in batch normalisation, the BLAS's own threads share the matrix products instead. A second thread pays
where a step is long; in short ones the threads wait for each other longer than they work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nncli.nn.network import Network

WORTH_A_SECOND_THREAD = 1 << 24
"""Multiplications in one forward pass of a batch from which more than one thread pays; measured on two cores."""
PARTS = 2
"""Parts that a batch falls into where nobody says how many: the same everywhere, since they shape the last bits."""


@dataclass(frozen=True)
class Threads:
    """Parts of a batch, each on a thread of its own, or threads of the BLAS; one of the two is 1."""

    n_shards: int
    blas: int


def choose_threads(wanted: int | Literal["auto"], network: Network, batch_rows: int) -> Threads:
    """As many as were asked for, or, for long steps, `PARTS`, or one.

    What is chosen depends on the configuration and the network alone, and not on the machine, so that the same
    training has the same bits on any number of cores.
    """
    if wanted == "auto":
        wanted = 1 if batch_rows * network.layout.n_decayed < WORTH_A_SECOND_THREAD else PARTS
    if network.mixes_rows:
        return Threads(n_shards=1, blas=wanted)
    return Threads(n_shards=min(wanted, batch_rows), blas=1)
