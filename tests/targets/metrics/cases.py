"""Random predictions for the tests of metrics, and comparison with scikit-learn."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

quickly = settings(max_examples=60, deadline=None)


@dataclass(frozen=True)
class Classified:
    """A random case: few levels of probability, so that many tie, and often a class that is absent."""

    y: NDArray[np.int64]
    P: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def K(self) -> int:
        return int(self.P.shape[1])

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple("abcdef"[: self.K])


@dataclass(frozen=True)
class Numbers:
    y: NDArray[np.float64]
    prediction: NDArray[np.float64]
    counts: NDArray[np.int64]


@st.composite
def classified(draw: st.DrawFn) -> Classified:
    rows, K = draw(st.integers(1, 20)), draw(st.integers(2, 4))
    present = draw(st.lists(st.integers(0, K - 1), min_size=1, max_size=K, unique=True))
    y = np.array(draw(st.lists(st.sampled_from(present), min_size=rows, max_size=rows)), dtype=np.int64)
    levels = draw(arrays(np.int64, (rows, K), elements=st.integers(0, 4)))
    levels[levels.sum(axis=1) == 0, 0] = 1
    return Classified(y, levels / levels.sum(axis=1, keepdims=True), draw(some_counts(rows)))


@st.composite
def numbers(draw: st.DrawFn) -> Numbers:
    rows = draw(st.integers(1, 20))
    value = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e3, 1e3, allow_subnormal=False, width=32))
    y, prediction = (draw(arrays(np.float64, rows, elements=value)) for _ in range(2))
    return Numbers(y, prediction, draw(some_counts(rows)))


def some_counts(rows: int) -> st.SearchStrategy[NDArray[np.int64]]:
    return arrays(np.int64, rows, elements=st.integers(0, 3)).filter(lambda counts: bool(counts.any()))


def their(metric: Any, *given: Any, **options: Any) -> Any:
    """scikit-learn's answer, without its warnings about absent classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return metric(*given, **options)


def assert_same(mine: Any, wanted: Any, *, rtol: float = 1e-12, atol: float = 1e-14) -> None:
    np.testing.assert_allclose(mine, wanted, rtol=rtol, atol=atol)


def weights(counts: NDArray[np.int64]) -> list[NDArray[np.float64] | None]:
    return [None, (counts + 1) / 7]
