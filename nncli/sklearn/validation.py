"""Validation of X, y and sample_weight, and their conversion to columns of a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from sklearn.utils import assert_all_finite, check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from nncli.base.errors import DataError
from nncli.data.formats.dataframes import as_polars, from_array, is_pandas
from nncli.nn.arrays import AnyArray

MIN_ROWS = 2


def features(estimator: Any, X: Any, *, reset: bool) -> pl.DataFrame:
    """Convert X to a frame, and check its columns against the estimator's, or set these with `reset`.

    A Polars or pandas frame keeps its column types. Columns without names are called x0, x1 …

    Raises:
        ValueError: X is not what the estimator was fitted on, is empty, infinite or of the wrong shape.
        TypeError: X is sparse.
    """
    try:
        if isinstance(X, pl.DataFrame) or is_pandas(X):
            validate_data(estimator, X, reset=reset, skip_check_array=True)
            frame = as_polars(X)
            if not frame.width:
                raise ValueError("Found 0 feature(s), while a minimum of 1 is required.")
            if len(frame) < (min_rows := MIN_ROWS if reset else 1):
                raise ValueError(f"Found {len(frame)} sample(s), while a minimum of {min_rows} is required.")
            return frame.rename(dict(zip(frame.columns, names_of(estimator), strict=True)))
        min_rows = MIN_ROWS if reset else 1
        X = validate_data(
            estimator, X, reset=reset, dtype=None, ensure_all_finite="allow-nan", ensure_min_samples=min_rows
        )
        return from_array(X, names_of(estimator))
    except DataError as error:
        raise ValueError(str(error)) from error


def names_of(estimator: Any) -> list[str]:
    """The names of the feature columns."""
    if hasattr(estimator, "feature_names_in_"):
        return [str(name) for name in estimator.feature_names_in_]
    return [f"x{j}" for j in range(estimator.n_features_in_)]


def numbers(estimator: Any, y: Any) -> AnyArray:
    """Validate a regression target: (rows,) or (rows, targets).

    Raises:
        ValueError: it is None, or a value is not finite.
    """
    _require(estimator, y)
    return np.asarray(check_array(y, ensure_2d=False, dtype=np.float64, input_name="y", estimator=estimator))


def classes(estimator: Any, y: Any) -> tuple[AnyArray, AnyArray]:
    """Validate class labels: the sorted classes, and each row's index among them (rows,).

    Raises:
        ValueError: y is None, or not a classification target.
    """
    _require(estimator, y)
    labels = column_or_1d(y, warn=True)
    assert_all_finite(labels, input_name="y", estimator_name=type(estimator).__name__)
    check_classification_targets(labels)
    unique_labels, codes = np.unique(labels, return_inverse=True)
    return unique_labels, codes


def labels(estimator: Any, y: Any) -> AnyArray | None:
    """Validate an indicator matrix (rows, labels) of 0 and 1, NaN for a missing label; None if y is of one column.

    Raises:
        ValueError: it has several columns, and other values.
    """
    y = np.asarray(y.toarray() if hasattr(y, "toarray") else y)
    if y.ndim != 2 or y.shape[1] < 2:
        return None
    Y = check_array(y, dtype=np.float64, ensure_all_finite="allow-nan", input_name="y", estimator=estimator)
    if not ((Y == 0.0) | (Y == 1.0) | np.isnan(Y)).all():
        raise ValueError("y should be a 1d array of classes, or an indicator matrix of labels, of 0 and 1")
    return np.asarray(Y)


def survival(estimator: Any, y: Any) -> tuple[AnyArray, AnyArray]:
    """Validate a structured array of times to an event: whether each row (rows,) has the event, and its time.

    Raises:
        ValueError: it has not two fields, of a boolean and a number of 0 or more.
    """
    _require(estimator, y)
    names: tuple[str, ...] = getattr(getattr(y, "dtype", None), "names", None) or ()
    kinds = [y.dtype[name].kind for name in names]
    if np.ndim(y) != 1 or len(names) != 2 or kinds[0] != "b" or kinds[1] not in "iuf":
        raise ValueError(
            "y must be a structured array of two fields: whether a row has the event, a boolean, and its time, such as "
            "np.array([(True, 3.5), (False, 8.0)], dtype=[('event', bool), ('time', float)])"
        )
    event, time = np.asarray(y[names[0]]), np.asarray(y[names[1]], np.float64)
    assert_all_finite(time, input_name="y", estimator_name=type(estimator).__name__)
    if (time < 0.0).any():
        raise ValueError("a time of y is below 0")
    return event, time


def _require(estimator: Any, y: Any) -> None:
    if y is None:
        name = type(estimator).__name__
        raise ValueError(f"This {name} estimator requires y to be passed, but the target y is None.")


def weights(sample_weight: Any, rows: pl.DataFrame | AnyArray) -> AnyArray | None:
    """Validate sample weights (rows,), or None.

    Raises:
        ValueError: there is not one nonnegative number for each row, or all are 0.
    """
    if sample_weight is None:
        return None
    w = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if w.ndim != 1:
        raise ValueError("Sample weights must be 1D array or scalar")
    check_consistent_length(w, rows)
    if (w < 0.0).any():
        raise ValueError("Negative values in data passed to `sample_weight`")
    if not w.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return np.asarray(w)


def one_level(level: Any) -> float:
    """Validate the level of intervals, bounds or sets.

    Raises:
        ValueError: there are several.
    """
    if np.ndim(level):
        raise ValueError(f"expected one level at a time, such as 0.9, found {level!r}; call the method for each level")
    return level  # type: ignore[no-any-return]  # what is no level is refused with the options


def class_cells(labels: AnyArray) -> pl.Series:
    """The classes as cells of a table: integers, or text.

    Labels that would be read as numbers but not as class ids, such as 0.5 or nan, become the integers 0, 1 ….
    """
    if labels.dtype.kind in "iu":
        return pl.Series(labels)
    words = pl.Series([str(label) for label in labels.tolist()], dtype=pl.String)
    numbers = words.str.strip_chars().cast(pl.Float64, strict=False)
    if numbers.has_nulls() or (numbers.is_finite() & (numbers == numbers.floor())).all():
        return words
    return pl.Series(range(len(words)))
