"""The cross-entropy of distributions: its gradient, and its value where they are certain."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.nn.losses import CrossEntropyLoss
from nncli.nn.losses.classification import SoftCrossEntropyLoss


def bound(P: np.ndarray, Z: np.ndarray, y: np.ndarray | None = None) -> tuple[float, np.ndarray]:
    codes = np.arange(P.shape[1], P.shape[1] + len(P)) if y is None else y
    head = SoftCrossEntropyLoss.of(P).bind(Z, codes, None)
    value = head.forward()
    return value, head.backward().copy()


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_it_is_the_cross_entropy_between_the_distributions(classes: int) -> None:
    random = np.random.default_rng(0)
    P, Z = random.dirichlet(np.ones(classes), 20), random.normal(size=(20, 1 if classes == 2 else classes))
    Q = CrossEntropyLoss().inverse_link(Z)
    value, dZ = bound(P, Z)
    assert value == pytest.approx(-(P * np.log(Q)).sum(axis=1).mean())
    assert dZ == pytest.approx((Q - P)[:, -dZ.shape[1] :] / 20)


@pytest.mark.parametrize("classes", [2, 4])
def test_a_certain_distribution_and_a_class_code_are_the_same(classes: int) -> None:
    random = np.random.default_rng(1)
    y, Z = random.integers(classes, size=30), random.normal(size=(30, 1 if classes == 2 else classes))
    certain = np.eye(classes)[y]
    expected = CrossEntropyLoss().bind(Z, y, None)
    for value, dZ in (bound(certain, Z), bound(certain, Z, y)):
        assert value == expected.forward()
        assert (dZ == expected.backward()).all()


def test_the_table_has_the_precision_of_the_network() -> None:
    assert (
        SoftCrossEntropyLoss.of(np.full((3, 2), 0.5, np.float32)).targets(1, np.dtype(np.float32)).dtype == np.float32
    )
