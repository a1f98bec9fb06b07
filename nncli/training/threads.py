"""How many threads the matrix products get: a matter of policy, not of what the environment happens to say.

A second thread only pays where the products of a step are large; on small ones the threads wait for each other longer
than they work, and on a busy machine much longer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from nncli.nn.network import Network

WORTH_A_SECOND_THREAD = 1 << 25
"""Multiplications in one forward pass of a batch from which more than one thread pays; measured on two cores."""
MOST = 8
"""Beyond this, a table's network gains nothing more."""


def choose_threads(wanted: int | Literal["auto"], network: Network, batch_rows: int) -> int:
    """The number that was asked for, or one, or, for large products, one a core up to `MOST`."""
    if wanted != "auto":
        return wanted
    products = batch_rows * network.layout.decayed
    return 1 if products < WORTH_A_SECOND_THREAD else max(1, min(MOST, os.cpu_count() or 1))


@contextmanager
def held_to(threads: int) -> Iterator[None]:
    """Hold the BLAS to so many threads while the block runs, whatever OMP_NUM_THREADS and its kin say."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads, user_api="blas"):
        yield
