"""Synthetic datasets of `nncli generate-data`: small tables with a known or visible best possible score.

The same name, number of rows, noise and seed always give the same table. Tutorials and bug reports quote the values,
so never change the order of the draws; add a set instead. The draws do not depend on the noise.

Numbers are float64. The target is the last column: `y` for regression, `label` for classification. Classes are
balanced to one row and shuffled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.random import Generator

from nncli.base.dataclass import dataclass
from nncli.base.errors import UsageError
from nncli.base.text import closest_match, join_quoted, quote
from nncli.nn.arrays import Codes, Floats


@dataclass(frozen=True)
class SyntheticSet:
    """A synthetic dataset: its name, its line in the help, its default noise, and the function that draws it.

    `draw(rows, noise, rng)` returns the table; its docstring defines `noise`.
    """

    name: str
    summary: str
    noise: float
    draw: Callable[[int, float, Generator], pl.DataFrame]


def generate(name: str, rows: int, *, noise: float | None = None, seed: int = 0) -> pl.DataFrame:
    """Generate `rows` rows of the set called `name`.

    `noise` is the amount of noise; None for the default of the set (`SETS[name].noise`).

    Raises:
        UsageError: no set has this name, `rows` is below 1, `noise` is negative or not finite, or `seed` is negative.
    """
    if name not in SETS:
        guess = closest_match(name, SET_NAMES)
        raise UsageError(
            f"there is no dataset called {quote(name)}",
            hint=f"Did you mean {quote(guess)}?" if guess else f"Choose from {join_quoted(SET_NAMES)}.",
        )
    if rows < 1:
        raise UsageError(f"cannot generate {rows} rows", hint="Give a number of rows of at least 1.")
    if noise is not None and not (math.isfinite(noise) and noise >= 0):
        raise UsageError(f"the noise cannot be {noise}", hint="Give a finite number of at least 0.")
    if seed < 0:
        raise UsageError(f"the seed cannot be {seed}", hint="Give a whole number of at least 0.")
    chosen = SETS[name]
    return chosen.draw(rows, chosen.noise if noise is None else noise, np.random.default_rng(seed))


def _linear(rows: int, noise: float, rng: Generator) -> pl.DataFrame:
    """y = 0.5 x1 + 0.5 x2 + noise * U(0, 1), with x1 and x2 ~ U(0, 1).

    The noise term has variance noise^2 / 12: with the default noise of 1 no model has a mean squared error below
    0.0833. Its mean is noise / 2, which the bias has to learn.
    """
    x1, x2, uniform = rng.uniform(0, 1, (3, rows))
    return pl.DataFrame({"x1": x1, "x2": x2, "y": 0.5 * x1 + 0.5 * x2 + noise * uniform})


def _sine(rows: int, noise: float, rng: Generator) -> pl.DataFrame:
    """y = sin x + N(0, noise), with x ~ U(-pi, pi); `noise` is a standard deviation."""
    x = rng.uniform(-math.pi, math.pi, rows)
    return pl.DataFrame({"x": x, "y": np.sin(x) + rng.normal(0, noise, rows)})


def _friedman1(rows: int, noise: float, rng: Generator) -> pl.DataFrame:
    """y = 10 sin(pi x1 x2) + 20 (x3 - 0.5)^2 + 10 x4 + 5 x5 + N(0, noise), with x1 .. x10 ~ U(0, 1).

    y does not depend on x6 .. x10. Source: Friedman, "Multivariate adaptive regression splines", The Annals of
    Statistics 19(1), 1991.
    """
    x = rng.uniform(0, 1, (10, rows))
    x1, x2, x3, x4, x5 = x[:5]
    y = 10 * np.sin(math.pi * x1 * x2) + 20 * np.square(x3 - 0.5) + 10 * x4 + 5 * x5
    features = {f"x{number}": column for number, column in enumerate(x, start=1)}
    return pl.DataFrame({**features, "y": y + rng.normal(0, noise, rows)})


def _xor(rows: int, noise: float, rng: Generator) -> pl.DataFrame:
    """x1 and x2 ~ U(-1, 1), labelled by whether their signs agree, which no linear model can separate.

    `noise` is the standard deviation of Gaussian noise added to both after labelling.
    """
    code = _balanced(rows, 2, rng)
    side = rng.choice([-1.0, 1.0], rows)
    sign = np.stack([side, np.where(code == 0, side, -side)])
    size = 1.0 - rng.random((2, rows))  # in (0, 1]: a coordinate of 0 would have no sign
    return _labeled(sign * size, noise, code, ("same", "different"), rng)


def _moons(rows: int, noise: float, rng: Generator) -> pl.DataFrame:
    """Two interleaving half circles of radius 1; `noise` is the standard deviation of Gaussian noise."""
    code = _balanced(rows, 2, rng)
    angle = rng.uniform(0, math.pi, rows)
    upper = np.stack([np.cos(angle), np.sin(angle)])
    lower = np.stack([1.0 - np.cos(angle), 0.5 - np.sin(angle)])
    return _labeled(np.where(code == 0, upper, lower), noise, code, ("upper", "lower"), rng)


def _circles(rows: int, noise: float, rng: Generator) -> pl.DataFrame:
    """A circle of radius 0.5 inside one of radius 1; `noise` is the standard deviation of Gaussian noise."""
    code = _balanced(rows, 2, rng)
    angle = rng.uniform(-math.pi, math.pi, rows)
    radius = np.where(code == 0, 0.5, 1.0)
    return _labeled(_polar(radius, angle), noise, code, ("inner", "outer"), rng)


def _spirals(rows: int, noise: float, rng: Generator) -> pl.DataFrame:
    """Two spiral arms of 1.5 turns, named after the side they start on; `noise` is the std of Gaussian noise.

    The radius grows from 0.1 to 1 along an arm. After Lang and Witbrock, "Learning to tell two spirals
    apart", 1988, whose arms turn three times.
    """
    code = _balanced(rows, 2, rng)
    along = rng.uniform(0, 1, rows)
    angle = 3 * math.pi * along + np.where(code == 0, math.pi, 0.0)
    return _labeled(_polar(0.1 + 0.9 * along, angle), noise, code, ("left", "right"), rng)


def _blobs(rows: int, noise: float, rng: Generator) -> pl.DataFrame:
    """Three isotropic Gaussians at distance 2 from the origin; `noise` is their standard deviation."""
    code = _balanced(rows, 3, rng)
    angle = np.array([1 / 2, 7 / 6, 11 / 6])[code] * math.pi
    return _labeled(_polar(np.full(rows, 2.0), angle), noise, code, ("a", "b", "c"), rng)


def _balanced(rows: int, classes: int, rng: Generator) -> Codes:
    """Class codes (rows,) in shuffled order; class sizes differ by at most one."""
    return rng.permutation(np.arange(rows, dtype=np.int64) % classes)


def _polar(radius: Floats, angle: Floats) -> Floats:
    """The points (2, rows) at these radii and angles."""
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)])


def _labeled(points: Floats, noise: float, code: Codes, labels: tuple[str, ...], rng: Generator) -> pl.DataFrame:
    """The table of `points` (2, rows), plus N(0, noise), and their labels."""
    x1, x2 = points + rng.normal(0, noise, points.shape)
    return pl.DataFrame({"x1": x1, "x2": x2, "label": np.array(labels)[code]})


_ALL = (
    SyntheticSet("linear", "a plane with uniform noise: y from x1, x2", 1.0, _linear),
    SyntheticSet("sine", "a sine wave: y from x", 0.1, _sine),
    SyntheticSet("friedman1", "five informative and five uninformative features: y from x1 .. x10", 1.0, _friedman1),
    SyntheticSet("xor", "whether two signs agree: same or different from x1, x2", 0.0, _xor),
    SyntheticSet("moons", "two interleaving half circles: upper or lower from x1, x2", 0.1, _moons),
    SyntheticSet("circles", "a circle inside another: inner or outer from x1, x2", 0.05, _circles),
    SyntheticSet("spirals", "two spiral arms: left or right from x1, x2", 0.02, _spirals),
    SyntheticSet("blobs", "three Gaussians: a, b or c from x1, x2", 0.5, _blobs),
)

SETS: Mapping[str, SyntheticSet] = MappingProxyType({dataset.name: dataset for dataset in _ALL})
SET_NAMES: tuple[str, ...] = tuple(SETS)
