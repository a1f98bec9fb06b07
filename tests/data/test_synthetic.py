"""The generated sets: shapes, balance, repeatability, and that each is as hard as it says."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from nncli.base.errors import UsageError
from nncli.data.synthetic import SET_NAMES, SETS, generate

LABELS: Mapping[str, tuple[str, ...]] = {
    "xor": ("same", "different"),
    "moons": ("upper", "lower"),
    "circles": ("inner", "outer"),
    "spirals": ("left", "right"),
    "blobs": ("a", "b", "c"),
}

FIRST_ROWS: Mapping[str, tuple[tuple[float | str, ...], ...]] = {
    "linear": (
        (0.6369616873214543, 0.9127555772777217, 1.5907121864211202),
        (0.2697867137638703, 0.6066357757671799, 0.4409497449356732),
    ),
    "sine": (
        (0.8605556614246863, 0.7943644857050608),
        (-1.4464727375963786, -0.8618817670653476),
    ),
    "friedman1": (
        (
            0.6369616873214543,
            0.9127555772777217,
            0.8158535541215322,
            0.17565562060255901,
            0.028319671145462966,
            0.38367755426188344,
            0.6884467305709401,
            0.31024187555895566,
            0.5715298307297609,
            0.8902743520047923,
            13.925681154396441,
        ),
        (
            0.2697867137638703,
            0.6066357757671799,
            0.002738500170148095,
            0.8631789223498866,
            0.12428327649956394,
            0.997209935789211,
            0.3889214239791038,
            0.4858353588317891,
            0.32186939107594215,
            0.22715759353337972,
            17.9083049298942,
        ),
    ),
    "xor": (
        (-0.39336422423282014, -0.9972614998298519, "same"),
        (-0.2705034390160016, -0.14259572341243065, "same"),
    ),
    "moons": (
        (0.9282787751730533, 0.030020604259857378, "upper"),
        (-0.9593536803576035, 0.42896554201640036, "upper"),
    ),
    "circles": (
        (-0.532493175596504, -0.06276940846415013, "inner"),
        (-0.25684612347151264, 0.3987128040245807, "inner"),
    ),
    "spirals": (
        (-0.1275587262588207, -0.022197535383903042, "left"),
        (-0.18168496596454892, -0.8420325880938677, "left"),
    ),
    "blobs": (
        (1.7845008661453967, -1.3518676179034972, "c"),
        (-1.999885494149433, -1.6327107355230257, "b"),
    ),
}
"""The first two of five rows with seed 0. These do not change between releases."""


def matrix(table: pl.DataFrame) -> NDArray[np.float64]:
    return table.select(pl.selectors.float()).to_numpy()


def test_the_names_are_in_the_order_of_the_help() -> None:
    assert SET_NAMES == ("linear", "sine", "friedman1", "xor", "moons", "circles", "spirals", "blobs")
    assert set(FIRST_ROWS) == set(SET_NAMES)
    assert all(SETS[name].name == name and "\n" not in SETS[name].summary for name in SET_NAMES)


@pytest.mark.parametrize("name", SET_NAMES)
@pytest.mark.parametrize("rows", [1, 2, 7, 300])
def test_shape_and_kinds_of_columns(name: str, rows: int) -> None:
    table = generate(name, rows)
    *features, target = table.columns
    assert table.height == rows
    assert features == (["x"] if name == "sine" else [f"x{n}" for n in range(1, len(features) + 1)])
    assert len(features) == {"sine": 1, "friedman1": 10}.get(name, 2)
    assert target == ("label" if name in LABELS else "y")
    assert table.schema[target] == (pl.String if name in LABELS else pl.Float64)
    assert all(table.schema[feature] == pl.Float64 for feature in features)
    assert np.isfinite(matrix(table)).all()


@pytest.mark.parametrize("name", SET_NAMES)
def test_the_values_are_part_of_the_contract(name: str) -> None:
    for row, wanted in zip(generate(name, 5, seed=0).rows(), FIRST_ROWS[name], strict=False):
        for value, pinned in zip(row, wanted, strict=True):
            # sines and cosines may differ in the last digit from one machine to another
            assert value == (pytest.approx(pinned, rel=1e-12) if isinstance(pinned, float) else pinned)


@pytest.mark.parametrize("name", SET_NAMES)
def test_a_seed_repeats_and_another_does_not(name: str) -> None:
    assert generate(name, 50, seed=3).equals(generate(name, 50, seed=3))
    assert not generate(name, 50, seed=3).equals(generate(name, 50, seed=4))
    usual = SETS[name].noise
    assert generate(name, 50).equals(generate(name, 50, noise=usual, seed=0))


@pytest.mark.parametrize("name", SET_NAMES)
def test_noise_scales_one_and_the_same_chance(name: str) -> None:
    tables = [generate(name, 40, noise=noise) for noise in (0, 0.25, 0.5)]
    none, some, twice = (matrix(table) for table in tables)
    np.testing.assert_allclose(twice - none, 2 * (some - none), atol=1e-12)
    assert np.abs(some - none).max() > 0.1
    if name in LABELS:
        assert tables[0]["label"].equals(tables[2]["label"])


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("rows", [1, 3, 100, 301])
def test_classes_are_balanced_and_shuffled(name: str, rows: int) -> None:
    label = generate(name, rows)["label"]
    counts = [int((label == item).sum()) for item in LABELS[name]]
    assert sum(counts) == rows
    assert max(counts) - min(counts) <= 1
    if rows >= 100:
        changes = int((label != label.shift(1)).sum())
        assert rows * 0.3 < changes < rows * 0.85


def test_no_plane_beats_the_noise_of_linear() -> None:
    table = generate("linear", 50_000, seed=1)
    features, y = table.select("x1", "x2").to_numpy(), table["y"].to_numpy()
    assert 0 <= features.min() < 0.01
    assert 0.99 < features.max() < 1
    chance = y - features @ [0.5, 0.5]
    assert np.var(chance) == pytest.approx(1 / 12, rel=0.02)
    design = np.column_stack([features, np.ones(len(y))])
    fit, residual, *_ = np.linalg.lstsq(design, y, rcond=None)
    assert residual[0] / len(y) == pytest.approx(1 / 12, rel=0.02)
    np.testing.assert_allclose(fit, [0.5, 0.5, 0.5], atol=0.02)


def test_sine_is_a_sine() -> None:
    table = generate("sine", 20_000, noise=0.3)
    x, y = table["x"].to_numpy(), table["y"].to_numpy()
    assert -math.pi <= x.min() < -3.1
    assert 3.1 < x.max() <= math.pi
    assert np.std(y - np.sin(x)) == pytest.approx(0.3, rel=0.02)


def test_friedman1_is_its_formula() -> None:
    clean = generate("friedman1", 500, noise=0)
    x1, x2, x3, x4, x5 = (clean[f"x{n}"].to_numpy() for n in range(1, 6))
    y = 10 * np.sin(math.pi * x1 * x2) + 20 * (x3 - 0.5) ** 2 + 10 * x4 + 5 * x5
    np.testing.assert_allclose(clean["y"].to_numpy(), y, rtol=1e-12)
    noisy = generate("friedman1", 20_000)["y"] - generate("friedman1", 20_000, noise=0)["y"]
    assert np.std(noisy.to_numpy()) == pytest.approx(1, rel=0.02)


def test_xor_is_the_agreement_of_signs() -> None:
    table = generate("xor", 4000)
    x1, x2 = table["x1"].to_numpy(), table["x2"].to_numpy()
    assert ((x1 * x2 > 0) == (table["label"] == "same").to_numpy()).all()
    for x in (x1, x2):
        assert np.abs(x).max() <= 1
        assert np.mean(x) == pytest.approx(0, abs=0.05)
        assert np.var(x) == pytest.approx(1 / 3, rel=0.05)


def test_circles_lie_on_their_radii() -> None:
    table = generate("circles", 100, noise=0)
    radius = np.hypot(table["x1"].to_numpy(), table["x2"].to_numpy())
    np.testing.assert_allclose(radius, np.where(table["label"] == "inner", 0.5, 1.0))


def test_moons_lie_on_their_half_circles() -> None:
    table = generate("moons", 100, noise=0)
    x1, x2, upper = table["x1"].to_numpy(), table["x2"].to_numpy(), (table["label"] == "upper").to_numpy()
    np.testing.assert_allclose(np.hypot(x1 - np.where(upper, 0, 1), x2 - np.where(upper, 0, 0.5)), 1)
    assert (x2[upper] >= 0).all()
    assert (x2[~upper] <= 0.5).all()


def test_spirals_are_each_others_half_turn() -> None:
    table = generate("spirals", 400, noise=0)
    x1, x2 = table["x1"].to_numpy(), table["x2"].to_numpy()
    radius, left = np.hypot(x1, x2), (table["label"] == "left").to_numpy()
    angle = 3 * math.pi * (radius - 0.1) / 0.9 + np.where(left, math.pi, 0)
    np.testing.assert_allclose(np.column_stack([x1, x2]).T, radius * np.stack([np.cos(angle), np.sin(angle)]))
    assert radius.min() >= 0.1
    assert radius.max() <= 1


def test_blobs_lie_around_their_centers() -> None:
    table = generate("blobs", 30_000, noise=0.5)
    center = table.group_by("label").agg(pl.col("x1", "x2").mean()).sort("label")
    corners = [[2 * math.cos(a), 2 * math.sin(a)] for a in (math.pi / 2, 7 * math.pi / 6, 11 * math.pi / 6)]
    np.testing.assert_allclose(matrix(center), corners, atol=0.03)
    deviation = table.group_by("label").agg(pl.col("x1", "x2").std())
    np.testing.assert_allclose(matrix(deviation), 0.5, rtol=0.03)


@pytest.mark.parametrize("name", LABELS)
def test_classes_can_be_told_apart(name: str) -> None:
    seen, unseen = generate(name, 2000, seed=1), generate(name, 500, seed=2)
    neighbors = KNeighborsClassifier(5).fit(matrix(seen), seen["label"].to_numpy())
    assert np.mean(neighbors.predict(matrix(unseen)) == unseen["label"].to_numpy()) > 0.97


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'spirals'"):
        generate("spiral", 10)
    with pytest.raises(UsageError, match=r"Choose from 'linear', 'sine'.*'blobs'"):
        generate("qqq", 10)


@pytest.mark.parametrize("rows", [0, -5])
def test_fewer_than_one_row_is_refused(rows: int) -> None:
    with pytest.raises(UsageError, match=f"cannot generate {rows} rows"):
        generate("linear", rows)


@pytest.mark.parametrize("noise", [-0.1, math.nan, math.inf])
def test_a_noise_that_is_none_is_refused(noise: float) -> None:
    with pytest.raises(UsageError, match="the noise cannot be"):
        generate("linear", 10, noise=noise)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(UsageError, match="the seed cannot be -1"):
        generate("linear", 10, seed=-1)
