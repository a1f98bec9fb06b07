"""Small and narrow tables: every kind of answer beside the best constant and the right linear model, on fresh rows.

    make bench-small
    make bench-small ONLY="--kinds gamma poisson --rows 60 --columns 1 --seeds 3"

The truth is a linear function of the first two of 1, 2, 5 or 20 uniform columns, through the link of the kind; `noise`
and `coins` have no truth at all. Each cell of (kind, columns, rows) is trained as a whole, on one thread, by two
processes. The score is the mean loss of 2,000 fresh rows as this file computes it, divided by that of the constant of
the training rows: the deviance of numbers, counts and amounts, twice the mean pinball loss of quantiles, the log loss
of classes and labels, and the Brier score at three times of times to an event. Where scikit-learn has the generalized
linear model of the truth, it is measured beside. Cells are visited seed by seed until the minutes are over.

Goals: no training fails; the mean ratio to the constant is at most 1.05 for 30 and 60 rows, and at most 1 from 400 on,
or 1.01 without a truth; from 400 rows on the loss is within 10 % of the linear model's in the mean.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli import load, train

Array = npt.NDArray[np.float64]
Drawn = dict[str, npt.NDArray[Any]]
"""The columns besides the features, by name."""

COLUMNS, ROWS, SEEDS, FRESH = (1, 2, 5, 20), (30, 60, 400, 3_000), 3, 2_000
FEW = 60
"""Rows up to which a model may lose a twentieth to the constant."""
WITHOUT_TRUTH = ("noise", "coins")
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Kind:
    """A kind of answer: how the target is drawn, how fresh rows are scored, and its configuration.

    `draw(rng, eta)` are the columns besides the features, by name; `y` is the target unless `target` says otherwise.
    `score(rows, predicted)` is the mean loss of fresh rows, and `constant(training, rows)` the frame that a model
    without features would predict.
    """

    draw: Callable[[np.random.Generator, Array], Drawn]
    score: Callable[[pl.DataFrame, pl.DataFrame], float]
    constant: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]
    settings: tuple[str, ...]
    linear: Callable[[Array, pl.DataFrame, Array, pl.DataFrame], pl.DataFrame] | None = None
    target: tuple[str, ...] = ("y",)
    options: tuple[tuple[str, Any], ...] = ()


def deviance(power: float) -> Callable[[pl.DataFrame, pl.DataFrame], float]:
    """The mean unit deviance of a variance of the mean to the `power`."""

    def score(rows: pl.DataFrame, predicted: pl.DataFrame) -> float:
        y, m = rows["y"].to_numpy(), predicted["prediction"].to_numpy().astype(np.float64)
        if power == 0.0:
            return float(np.mean((y - m) ** 2))
        m = np.maximum(m, 1e-300)
        if power == 1.0:
            return float(np.mean(2.0 * (np.where(y > 0, y * np.log(np.maximum(y, 1e-300) / m), 0.0) - y + m)))
        if power == 2.0:
            return float(np.mean(2.0 * (np.log(m / y) + y / m - 1.0)))
        p = power
        parts = y ** (2 - p) / ((1 - p) * (2 - p)) - y * m ** (1 - p) / (1 - p) + m ** (2 - p) / (2 - p)
        return float(np.mean(2.0 * parts))

    return score


def pinball(levels: Sequence[float]) -> Callable[[pl.DataFrame, pl.DataFrame], float]:
    """Twice the mean pinball loss of quantiles."""

    def score(rows: pl.DataFrame, predicted: pl.DataFrame) -> float:
        d = np.stack([predicted[f"quantile_{round(100 * q):02}"].to_numpy() for q in levels], axis=1)
        d = d.astype(np.float64) - rows["y"].to_numpy()[:, None]
        return float(2.0 * np.mean(d * ((d > 0.0) - np.array(levels))))

    return score


def log_loss(rows: pl.DataFrame, predicted: pl.DataFrame) -> float:
    """The mean log loss of classes; a class that the training rows lack has the smallest probability."""
    y, losses = rows["y"].to_list(), []
    columns = {
        name.removeprefix("proba_"): predicted[name].to_numpy() for name in predicted.columns if "proba_" in name
    }
    for i, label in enumerate(y):
        losses.append(-np.log(max(float(columns[str(label)][i]) if str(label) in columns else 0.0, 1e-7)))
    return float(np.mean(losses))


def label_loss(rows: pl.DataFrame, predicted: pl.DataFrame) -> float:
    """The mean log loss of two labels."""
    total = 0.0
    for name in ("y1", "y2"):
        y, p = rows[name].to_numpy(), predicted[f"proba_{name}"].to_numpy().astype(np.float64).clip(1e-7, 1 - 1e-7)
        total -= float(np.mean(np.where(y == 1, np.log(p), np.log(1.0 - p)))) / 2.0
    return total


TIMES = (0.1, 0.3, 0.8)


def brier(rows: pl.DataFrame, predicted: pl.DataFrame) -> float:
    """The mean squared error of the survival at three times, of times that nothing censored."""
    T = rows["truth"].to_numpy()
    errors = [np.mean((predicted[f"survival_{t}"].to_numpy() - (t < T)) ** 2) for t in TIMES]
    return float(np.mean(errors))


def mean_of(training: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The mean of the training rows, for each unit of exposure if there is one."""
    if "e" in training.columns:
        return pl.DataFrame({"prediction": rows["e"] * float(training["y"].sum()) / float(training["e"].sum())})
    return pl.DataFrame({"prediction": np.full(len(rows), training["y"].mean())})


def median_of(training: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame({"prediction": np.full(len(rows), training["y"].median())})


def quantiles_of(levels: Sequence[float]) -> Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]:
    def constant(training: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
        values = np.quantile(training["y"].to_numpy(), levels)
        names = (f"quantile_{round(100 * q):02}" for q in levels)
        return pl.DataFrame({name: np.full(len(rows), value) for name, value in zip(names, values, strict=True)})

    return constant


def shares_of(training: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    counts = training["y"].value_counts()
    shares = {f"proba_{label}": count / len(training) for label, count in counts.iter_rows()}
    return pl.DataFrame({name: np.full(len(rows), share) for name, share in shares.items()})


def label_shares(training: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame({f"proba_{name}": np.full(len(rows), training[name].mean()) for name in ("y1", "y2")})


def kaplan_meier(training: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    order = np.argsort(training["y"].to_numpy(), kind="stable")
    y, event = training["y"].to_numpy()[order], training["event"].to_numpy()[order]
    S = np.cumprod(1.0 - event / (len(y) - np.arange(len(y))))
    at = {f"survival_{t}": S[k - 1] if (k := int((y <= t).sum())) else 1.0 for t in TIMES}
    return pl.DataFrame({name: np.full(len(rows), value) for name, value in at.items()})


def linear_mean(model: str, **options: Any) -> Callable[[Array, pl.DataFrame, Array, pl.DataFrame], pl.DataFrame]:
    """The mean that a linear model of scikit-learn without a penalty predicts."""

    def predict(X: Array, training: pl.DataFrame, fresh: Array, rows: pl.DataFrame) -> pl.DataFrame:
        from sklearn import linear_model

        estimator = getattr(linear_model, model)(**options)
        y = training["y"].to_numpy()
        if "e" in training.columns:
            estimator.fit(X, y / training["e"].to_numpy(), training["e"].to_numpy())
            return pl.DataFrame({"prediction": estimator.predict(fresh) * rows["e"].to_numpy()})
        return pl.DataFrame({"prediction": estimator.fit(X, y).predict(fresh)})

    return predict


def linear_log(X: Array, training: pl.DataFrame, fresh: Array, rows: pl.DataFrame) -> pl.DataFrame:
    """The mean of a log-normal target by least squares on its logarithm."""
    A = np.column_stack([np.ones(len(X)), X])
    logs = np.log(training["y"].to_numpy())
    beta, *_ = np.linalg.lstsq(A, logs, rcond=None)
    variance = float(np.mean((logs - A @ beta) ** 2))
    return pl.DataFrame({"prediction": np.exp(np.column_stack([np.ones(len(fresh)), fresh]) @ beta + variance / 2.0)})


def logistic(X: Array, training: pl.DataFrame, fresh: Array, rows: pl.DataFrame) -> pl.DataFrame:
    from sklearn.linear_model import LogisticRegression

    estimator = LogisticRegression(C=1e6, max_iter=2_000).fit(X, training["y"].to_list())
    return pl.DataFrame(estimator.predict_proba(fresh), [f"proba_{label}" for label in estimator.classes_])


def _number(rng: np.random.Generator, eta: Array) -> Drawn:
    return {"y": eta + 0.5 * rng.normal(size=len(eta))}


def _noise(rng: np.random.Generator, eta: Array) -> Drawn:
    return {"y": rng.normal(size=len(eta))}


def _amount(rng: np.random.Generator, eta: Array) -> Drawn:
    return {"y": np.exp(eta) * rng.gamma(2.0, 0.5, len(eta))}


def _log_normal(rng: np.random.Generator, eta: Array) -> Drawn:
    return {"y": np.exp(eta + 0.5 * rng.normal(size=len(eta)))}


def _count(rng: np.random.Generator, eta: Array) -> Drawn:
    return {"y": rng.poisson(np.exp(eta)).astype(np.float64)}


def _spread_count(rng: np.random.Generator, eta: Array) -> Drawn:
    return {"y": rng.poisson(np.exp(eta) * rng.gamma(2.0, 0.5, len(eta))).astype(np.float64)}


def _exposed(rng: np.random.Generator, eta: Array) -> Drawn:
    e = rng.uniform(0.5, 2.0, len(eta))
    return {"e": e, "y": rng.poisson(np.exp(eta) * e) * (rng.uniform(size=len(eta)) > 0.3).astype(np.float64)}


def _sum_of_amounts(rng: np.random.Generator, eta: Array) -> Drawn:
    counts = rng.poisson(np.exp(eta))
    return {"y": np.where(counts > 0, rng.gamma(np.maximum(counts, 1), 1.0), 0.0)}


def _class(rng: np.random.Generator, eta: Array) -> Drawn:
    return {"y": (rng.uniform(size=len(eta)) < 1.0 / (1.0 + np.exp(1.5 - 2.0 * eta))).astype(np.int64)}


def _coin(rng: np.random.Generator, eta: Array) -> Drawn:
    return {"y": rng.integers(0, 2, len(eta))}


def _rare(rng: np.random.Generator, eta: Array) -> Drawn:
    y = (rng.uniform(size=len(eta)) < 1.0 / (1.0 + np.exp(4.0 - eta))).astype(np.int64)
    y[:2] = 0, 1  # a training needs both
    return {"y": y}


def _three(rng: np.random.Generator, eta: Array) -> Drawn:
    y = np.digitize(eta + rng.logistic(size=len(eta)) * 0.5, (0.4, 1.2))
    y[:3] = range(3)
    return {"y": y}


def _labels(rng: np.random.Generator, eta: Array) -> Drawn:
    return {"y1": _class(rng, eta)["y"], "y2": _class(rng, 1.5 - eta)["y"]}


def _time(rng: np.random.Generator, eta: Array) -> Drawn:
    T, C = rng.exponential(np.exp(-eta)), rng.exponential(1.0, len(eta))
    return {"y": np.minimum(T, C), "event": (T <= C).astype(np.int64), "truth": T}


def _numbers(loss: str, score: Any, constant: Any) -> Kind:
    return Kind(_number, score, constant, (f"loss={loss}",))


OF_TIMES: tuple[tuple[str, Any], ...] = (("at", list(TIMES)),)
OF_CLASSES: tuple[tuple[str, Any], ...] = (("proba", True),)
KINDS = {
    "mse": Kind(_number, deviance(0.0), mean_of, ("loss=mse",), linear_mean("LinearRegression")),
    "noise": Kind(_noise, deviance(0.0), mean_of, ("loss=mse",)),
    "mae": _numbers("mae", deviance(0.0), median_of),
    "huber": _numbers("huber", deviance(0.0), median_of),
    "quantiles": _numbers(f"{{type: quantiles, levels: {[*LEVELS]}}}", pinball(LEVELS), quantiles_of(LEVELS)),
    "normal": _numbers("normal", pinball(LEVELS), quantiles_of(LEVELS)),
    "student_t": _numbers("student_t", pinball(LEVELS), quantiles_of(LEVELS)),
    "mixture": _numbers("mixture", pinball(LEVELS), quantiles_of(LEVELS)),
    "poisson": Kind(_count, deviance(1.0), mean_of, ("loss=poisson",), linear_mean("PoissonRegressor", alpha=0.0)),
    "negative_binomial": Kind(
        _spread_count, deviance(1.0), mean_of, ("loss=negative_binomial",), linear_mean("PoissonRegressor", alpha=0.0)
    ),
    "zero_inflated_poisson": Kind(
        _exposed,
        deviance(1.0),
        mean_of,
        ("loss=zero_inflated_poisson", "data.exposure=e"),
        linear_mean("PoissonRegressor", alpha=0.0),
    ),
    "gamma": Kind(_amount, deviance(2.0), mean_of, ("loss=gamma",), linear_mean("GammaRegressor", alpha=0.0)),
    "tweedie": Kind(
        _sum_of_amounts,
        deviance(1.5),
        mean_of,
        ("loss=tweedie",),
        linear_mean("TweedieRegressor", alpha=0.0, power=1.5, link="log"),
    ),
    "log_normal": Kind(_log_normal, deviance(2.0), mean_of, ("loss=log_normal",), linear_log),
    "classes": Kind(_class, log_loss, shares_of, ("loss=cross_entropy",), logistic, options=OF_CLASSES),
    "coins": Kind(_coin, log_loss, shares_of, ("loss=cross_entropy",), options=OF_CLASSES),
    "rare class": Kind(_rare, log_loss, shares_of, ("loss=cross_entropy",), options=OF_CLASSES),
    "ordered classes": Kind(_three, log_loss, shares_of, ("loss=ordinal",), options=OF_CLASSES),
    "labels": Kind(
        _labels,
        label_loss,
        label_shares,
        ("loss=binary_cross_entropy",),
        target=("y1", "y2"),
        options=OF_CLASSES,
    ),
    "survival": Kind(_time, brier, kaplan_meier, ("loss={type: survival, event: event}",), options=OF_TIMES),
    "cox": Kind(_time, brier, kaplan_meier, ("loss={type: cox, event: event}",), options=OF_TIMES),
}


@dataclass(frozen=True)
class Cell:
    """A training: of a kind, with so many columns and rows."""

    kind: str
    columns: int
    rows: int
    seed: int
    quality: str


@dataclass(frozen=True)
class Measured:
    """The loss of fresh rows relative to the constant's, and the linear model's; NaN without one, or after an error."""

    ratio: float
    linear: float
    seconds: float
    error: str = ""


def measure(cell: Cell) -> Measured:
    """Train, and score fresh rows."""
    warnings.simplefilter("ignore")  # of scikit-learn, whose models separate 30 rows
    kind, start = KINDS[cell.kind], time.perf_counter()
    rng = np.random.default_rng([cell.seed, cell.rows, cell.columns, zlib.crc32(cell.kind.encode())])
    X = rng.uniform(size=(cell.rows + FRESH, cell.columns))
    eta = 0.5 + 1.5 * X[:, 0] - (X[:, 1] if cell.columns > 1 else 0.0)
    features = pl.DataFrame({f"x{j}": X[:, j] for j in range(cell.columns)})
    whole = features.hstack(pl.DataFrame(kind.draw(rng, eta)))
    training, fresh = whole[: cell.rows], whole[cell.rows :]
    constant = kind.score(fresh, kind.constant(training, fresh))
    linear = np.nan
    if kind.linear is not None:
        linear = kind.score(fresh, kind.linear(X[: cell.rows], training, X[cell.rows :], fresh)) / constant
    with TemporaryDirectory() as temporary:
        path = Path(temporary) / "table.csv"
        training.drop("truth", strict=False).write_csv(path)
        try:
            run = train(
                path,
                target=list(kind.target),
                set=[*kind.settings, f"quality={cell.quality}", "workers=1", "threads=1"],
                output=Path(temporary) / "run",
            ).run
            hidden = {*kind.target, "event", "truth"} & {*fresh.columns}
            predicted = load(run).predict(fresh.drop(hidden), **dict(kind.options))
        except Exception as error:  # failures of any sort are counted
            return Measured(np.nan, linear, time.perf_counter() - start, str(error).partition("\n")[0])
    return Measured(kind.score(fresh, predicted) / constant, linear, time.perf_counter() - start)


def measure_all(cells: Sequence[Cell], minutes: float) -> dict[Cell, Measured]:
    """Measure cells by two processes until the minutes are over."""
    end, results = time.monotonic() + 60.0 * minutes, dict[Cell, Measured]()
    with ProcessPoolExecutor(2) as executor:
        rest = iter(cells)
        running = {executor.submit(measure, cell): cell for cell in (*(next(rest, None) for _ in range(3)),) if cell}
        while running:
            done = next((future for future in running if future.done()), None)
            if done is None:
                time.sleep(0.01)
                continue
            cell = running.pop(done)
            results[cell] = done.result()
            if results[cell].error:
                print(f"failed: {cell}: {results[cell].error}", file=sys.stderr, flush=True)
            following = next(rest, None) if time.monotonic() < end else None
            if following is not None:
                running[executor.submit(measure, following)] = following
    return results


def report(results: dict[Cell, Measured]) -> bool:
    """Print a line for each kind, and the goals; whether all are reached."""
    rows = sorted({cell.rows for cell in results})
    by_cell: dict[tuple[str, int, int], list[Measured]] = defaultdict(list)
    for cell, measured in results.items():
        by_cell[cell.kind, cell.columns, cell.rows].append(measured)
    print("| kind | " + " | ".join(f"{n:,} rows" for n in rows) + " | worst mean of a cell | to the linear model |")
    print("| --- |" + " --- |" * (len(rows) + 2))
    failed = sum(bool(m.error) for m in results.values())
    goals, near, reached = {n: list[float]() for n in rows}, list[float](), not failed
    for kind in dict.fromkeys(cell.kind for cell in results):
        line, worst = [], (0.0, "")
        ratios_to_linear: list[float] = []
        for n in rows:
            means = {
                d: float(np.mean([m.ratio for m in measured if not m.error] or [np.nan]))
                for (of_kind, d, of_rows), measured in by_cell.items()
                if of_kind == kind and of_rows == n
            }
            if not means:
                line.append("–")
                continue
            line.append(f"{np.mean([*means.values()]):.3f}")
            goals[n].append(float(np.mean([*means.values()])))
            reached &= goals[n][-1] <= (1.05 if n <= FEW else 1.01 if kind in WITHOUT_TRUTH else 1.0)
            worst = max(worst, max((value, f"{n} x {d}") for d, value in means.items()))
            ratios_to_linear += [
                m.ratio / m.linear
                for (of_kind, _, of_rows), measured in by_cell.items()
                if of_kind == kind and of_rows == n > FEW
                for m in measured
                if np.isfinite(m.linear)
            ]
        near += ratios_to_linear
        linear = f"{np.nanmean(ratios_to_linear):.3f}" if ratios_to_linear else "–"
        print(f"| {kind} | " + " | ".join(line) + f" | {worst[0]:.3f} ({worst[1]}) | {linear} |")
    print(f"\n{len(results)} trainings, {failed} failed; {np.mean([m.seconds for m in results.values()]):.1f} s each")
    for n, values in goals.items():
        print(f"{n:,} rows: {np.mean(values):.3f} of the constant's loss, the worst kind {max(values):.3f}")
    if near:
        reached &= float(np.nanmean(near)) <= 1.1
        print(f"from 400 rows on {np.nanmean(near):.3f} of the linear model's loss")
    print("every goal is reached" if reached else "a goal is missed")
    return reached


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=[*KINDS])
    parser.add_argument("--rows", nargs="*", type=int, default=ROWS)
    parser.add_argument("--columns", nargs="*", type=int, default=COLUMNS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--quality", default="fast")
    parser.add_argument("--minutes", type=float, default=15.0)
    options = parser.parse_args()
    cells = [
        Cell(kind, columns, rows, seed, options.quality)
        for seed, rows, columns, kind in product(range(options.seeds), options.rows, options.columns, options.kinds)
    ]
    results = measure_all(cells, options.minutes)
    is_reached = report(results)
    if len(results) < len(cells):
        print(f"the minutes were over after {len(results):,} of {len(cells):,} trainings")
    return 0 if is_reached else 1


if __name__ == "__main__":
    sys.exit(main())
