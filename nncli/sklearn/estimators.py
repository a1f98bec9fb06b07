"""NNClassifier, NNRegressor and NNSurvivalAnalysis: scikit-learn estimators around `nncli train`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal
from warnings import warn

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from nncli.api.load import Loaded
from nncli.base.errors import DataError, RunError, UsageError
from nncli.base.option import ConformityScore
from nncli.base.text import free_name
from nncli.models.conformal.predictor import ConformalPredictions
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.models.read_table import table_of
from nncli.nn.arrays import AnyArray
from nncli.run_directory.manifest import HISTORY
from nncli.run_directory.run import from_bytes
from nncli.sklearn.training import Request, TargetColumns, calibrate_packed, fit, load_packed
from nncli.sklearn.validation import class_cells, classes, features, labels, numbers, one_level, survival, weights
from nncli.targets.classes import ClassificationTarget
from nncli.targets.conformal import Interval, LowerBounds, PredictionSets
from nncli.targets.labels import MultilabelTarget
from nncli.targets.metrics.survival import comparable_pairs
from nncli.targets.number import RegressionTarget
from nncli.targets.survival import SurvivalCurve, SurvivalTarget
from nncli.targets.target import TargetKind
from nncli.targets.target_base import present

NOT_KEYS = ("config", "n_jobs", "random_state")
LARGEST_SEED = 2**31 - 1

Given = Mapping[str, object] | str
"""A part of the configuration that may be named or written out: `adam`, `{"type": "adam", "beta1": 0.8}`."""


class Estimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The base of the estimators.

    Every parameter but the last three is the configuration's key of that name, see docs/configuration.md, and None
    leaves it as the configuration or the preset has it. Without `layers` that is the preset tabular, of which the
    `quality` is fast where none is named: an ensemble of 4.

    X may be an array, or a frame of Polars or pandas. Columns of text, categories and booleans are categories, of
    numbers numbers, and a missing cell may be anywhere. A row of weight 0 counts as one that is not there.

    After `fit`: `n_features_in_`, `feature_names_in_` (of a frame), `n_iter_` (epochs; of members the most of any),
    `history_` (a frame: a row for each epoch), `notes_` (what was noted of the table), and `run_files_`: the files of
    the run directory that `nncli train` would have left.

    Args:
        class_weight: of a classifier; `balanced`, or a weight for each class.
        config: a configuration, as a mapping or the path of a file, that the other parameters stand above. Its
            data.path, data.target, seed and workers are not used.
        n_jobs: members trained side by side, each in a process; -1 for one on each core.
        random_state: the configuration's seed; None: drawn from NumPy's global generator.
    """

    _kind: TargetKind

    def __init__(
        self,
        *,
        preset: Literal["tabular", "textbook"] | None = None,
        quality: Literal["fast", "balanced"] | None = None,
        layers: Sequence[int | Given] | None = None,
        activation: Given | None = None,
        loss: Given | None = None,
        optimizer: Given | None = None,
        learning_rate: float | Given | None = None,
        batch_size: int | Literal["full", "auto"] | None = None,
        epochs: int | Literal["auto"] | None = None,
        l1: float | None = None,
        l2: float | None = None,
        validation: float | Mapping[str, object] | None = None,
        early_stopping: Mapping[str, object] | None = None,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        members: int | None = None,
        config: Mapping[str, object] | str | Path | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.preset = preset
        self.quality = quality
        self.layers = layers
        self.activation = activation
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.l1 = l1
        self.l2 = l2
        self.validation = validation
        self.early_stopping = early_stopping
        self.class_weight = class_weight
        self.members = members
        self.config = config
        self.n_jobs = n_jobs
        self.random_state = random_state

    @property
    def history_(self) -> pl.DataFrame:
        """The training history, one row per epoch as in history.csv; for an ensemble with a column `member`."""
        check_is_fitted(self)
        files: dict[str, bytes] = self.run_files_
        histories = {name: pl.read_csv(BytesIO(text)) for name, text in files.items() if name.endswith(HISTORY)}
        if HISTORY in histories:
            return histories[HISTORY]
        numbered = sorted((int(name.split("/")[1]), frame) for name, frame in histories.items())
        return pl.concat([frame.insert_column(0, pl.lit(i).alias("member")) for i, frame in numbered])

    def save(self, run: str | Path) -> Path:
        """Write the run directory, which `nncli predict` and `nncli.load` read; return its path.

        Raises:
            FileExistsError: there is something of that name.
        """
        check_is_fitted(self)
        from_bytes(self.run_files_, Path(run))
        return Path(run)

    def _train(
        self,
        frame: pl.DataFrame,
        target: pl.DataFrame,
        sample_weight: Any,
        kind: TargetKind | None = None,
        **overrides: object,
    ) -> None:
        """Train on features and target, and set the fitted attributes."""
        check_consistent_length(frame, target)
        w = weights(sample_weight, frame)
        table, weight = pl.concat([frame, target], how="horizontal"), None
        if w is not None:
            weight = free_name("weight", table.columns)
            table = table.with_columns(pl.Series(weight, w)).filter(pl.Series(w > 0.0))
        params = {key: value for key, value in self.get_params(deep=False).items() if key not in NOT_KEYS}
        parameters = {key: value for key, value in {**params, **overrides}.items() if value is not None}
        parameters["workers"] = "auto" if self.n_jobs == -1 else self.n_jobs or 1
        seed, fixed = self.random_state, isinstance(self.random_state, int | np.integer)
        parameters["seed"] = seed if fixed else check_random_state(seed).randint(LARGEST_SEED)
        fitted = fit(Request(self.config, parameters, kind or self._kind), table, TargetColumns(target, weight))
        self.run_files_, self.n_iter_, self.notes_ = fitted.files, fitted.epochs, fitted.notes
        self._loaded = fitted.model

    def _predict(self, X: Any, *, proba: bool = False) -> pl.DataFrame:
        """The predictions as a frame, as `nncli predict` writes them."""
        check_is_fitted(self)
        frame = features(self, X, reset=False)
        loaded: Loaded = self._loaded
        try:
            return loaded.predict(frame, proba=proba)
        except DataError as error:
            raise ValueError(str(error)) from error

    def _calibrated(self, X: Any, options: UncertaintyOptions) -> ConformalPredictions:
        """The predictions with intervals or sets."""
        check_is_fitted(self)
        frame = features(self, X, reset=False)
        loaded: Loaded = self._loaded
        try:
            predicted = calibrate_packed(self.run_files_, loaded.model, options).predict(table_of(loaded.model, frame))
        except (DataError, UsageError, RunError) as error:
            raise ValueError(str(error)) from error
        return predicted

    def __getstate__(self) -> dict[str, Any]:
        """Pickle plain values and the files of the run, from which the model is loaded again."""
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_loaded", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "run_files_" in state:
            self._loaded = load_packed(self.run_files_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags


class NNClassifier(ClassifierMixin, Estimator):  # type: ignore[misc]  # scikit-learn has no types
    __doc__ = f"""A classifier: a neural network, or an ensemble of them.

    {Estimator.__doc__}"""

    _kind = ClassificationTarget

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NNClassifier:
        """Train on X (rows, features) and the classes y (rows,), weighted by sample_weight (rows,).

        With an indicator matrix y (rows, labels), of 0, 1 or NaN for a missing label, a row has any number of labels.

        Raises:
            ValueError: a parameter, or what is to be trained on, is not usable; the message says why.
        """
        frame = features(self, X, reset=True)
        Y = labels(self, y)
        self._are_labels = Y is not None
        if Y is not None:
            self.classes_ = np.arange(Y.shape[1])
            names = [free_name(f"y{j}", frame.columns) for j in range(Y.shape[1])]
            self._train(frame, pl.DataFrame(Y, schema=names, nan_to_null=True), sample_weight, MultilabelTarget)
            return self
        self.classes_, codes = classes(self, y)
        cells, weight = class_cells(self.classes_), self.class_weight
        if isinstance(weight, Mapping):
            text = dict(zip(self.classes_.tolist(), cells.cast(pl.String), strict=True))
            weight = {text.get(label, str(label)): amount for label, amount in weight.items()}
        target = pl.DataFrame([cells.gather(pl.Series(codes)).alias(free_name("y", frame.columns))])
        self._train(frame, target, sample_weight, class_weight=weight)
        return self

    def predict(self, X: Any) -> AnyArray:
        """The class of each row of X, (rows,), or an indicator matrix of its labels, (rows, labels)."""
        P = self.predict_proba(X)
        rule = self._loaded.model.spec.target.decision_rule
        if self._are_labels:
            return rule.codes(P, None)
        of_labels = np.array(self._label_positions())
        return np.asarray(self.classes_[of_labels[rule.codes(P[:, of_labels], None)]])

    def predict_proba(self, X: Any) -> AnyArray:
        """The probability of each of `classes_`, (rows, classes); 0 for a class without weighted training rows.

        Of labels, the probability of each, (rows, labels).
        """
        probabilities = self._predict(X, proba=True).drop("prediction").to_numpy().astype(np.float64)
        if self._are_labels:
            return np.asarray(probabilities)
        P = np.zeros((len(probabilities), len(self.classes_)))
        P[:, self._label_positions()] = probabilities
        return np.asarray(P / P.sum(axis=1, keepdims=True))  # of what was rounded to the network's precision

    def predict_set(
        self, X: Any, prediction_set: float = 0.9, *, conformity_score: ConformityScore = "lac", per_class: bool = False
    ) -> AnyArray:
        """The classes that cannot be excluded: a mask (rows, classes) in the order of `classes_`.

        A set is expected to hold the true class of a share `prediction_set` of new rows, or, with `per_class`, of each
        class; see docs/howto/uncertainty.md.

        Raises:
            ValueError: there are no validation rows to calibrate with, too few for the level, or several levels.
        """
        options = UncertaintyOptions(
            prediction_set=one_level(prediction_set), per_class=per_class, conformity_score=conformity_score
        )
        included = self._calibrated(X, options).of_type(PredictionSets)[0].included
        mask = np.zeros((len(included), len(self.classes_)), np.bool_)
        mask[:, self._label_positions()] = included
        return mask

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _label_positions(self) -> list[int]:
        """The positions of the model's classes in `classes_`."""
        where = {text: j for j, text in enumerate(class_cells(self.classes_).cast(pl.String))}
        return [where[text] for text in self._loaded.model.spec.target.labels]


class NNRegressor(RegressorMixin, Estimator):  # type: ignore[misc]  # scikit-learn has no types
    __doc__ = f"""A regressor for one or several targets: a neural network, or an ensemble of them.

    {Estimator.__doc__}"""

    _kind = RegressionTarget

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NNRegressor:
        """Train on X (rows, features) and numbers y (rows,) or (rows, targets), weighted by sample_weight (rows,).

        Raises:
            ValueError: a parameter, or what is to be trained on, is not usable; the message says why.
        """
        frame = features(self, X, reset=True)
        y = numbers(self, y)
        self._is_flat, columns = y.ndim == 1, y.reshape(len(y), -1).T
        names = ["y"] if len(columns) == 1 else [f"y{j}" for j in range(len(columns))]
        target = pl.DataFrame(
            {free_name(name, frame.columns): column for name, column in zip(names, columns, strict=True)}
        )
        self._train(frame, target, sample_weight)
        return self

    def predict(self, X: Any) -> AnyArray:
        """The predictions for X, in the shape of y: (rows,) or (rows, targets)."""
        frame = self._predict(X)
        Y = frame[[name for name in frame.columns if name.startswith("prediction")]].to_numpy()
        return np.asarray(Y[:, 0] if self._is_flat else Y)

    def predict_interval(self, X: Any, interval: float = 0.9) -> tuple[AnyArray, AnyArray]:
        """The lower and upper bounds of prediction intervals, each in the shape of y.

        An interval is expected to hold the true number of a share `interval` of new rows, for each target; see
        docs/howto/uncertainty.md.

        Raises:
            ValueError: there are no validation rows to calibrate with, too few for the level, or several levels.
        """
        (bounds,) = self._calibrated(X, UncertaintyOptions(interval=one_level(interval))).of_type(Interval)
        return (bounds.lower[:, 0], bounds.upper[:, 0]) if self._is_flat else (bounds.lower, bounds.upper)

    def predict_quantiles(self, X: Any) -> AnyArray:
        """The quantiles of the loss `quantiles` for X, (rows, levels) or (rows, targets, levels), in ascending order.

        Raises:
            ValueError: the loss is another one.
        """
        check_is_fitted(self)
        levels = self._loaded.model.spec.loss.quantile_levels
        if not levels:
            raise ValueError("the model predicts no quantiles: use loss='quantiles'")
        frame = self._predict(X)
        Q = frame[[name for name in frame.columns if name.startswith("quantile_")]].to_numpy()
        return np.asarray(Q if self._is_flat else Q.reshape(len(Q), -1, len(levels)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


@dataclass(frozen=True, eq=False)
class SurvivalFunction:
    """The probability that the event of a row is after a time, which falls from 1 at 0 and stays after the last time.

    `y` (times,) are the probabilities at the times `x` (times,). Between these the hazard is constant.
    """

    x: AnyArray
    y: AnyArray
    curve: SurvivalCurve

    def __call__(self, time: Any) -> Any:
        """The probability at a time, or at each of an array of times."""
        S = self.curve.at(self.y[None], np.atleast_1d(np.asarray(time, np.float64)))[0]
        return S if np.ndim(time) else float(S[0])


class NNSurvivalAnalysis(Estimator):
    __doc__ = f"""The time to an event, of which some rows are censored: a neural network, or an ensemble of them.

    The methods are those of scikit-survival. `unique_times_` (times,) are the ends of the bins of time.

    {Estimator.__doc__}"""

    _kind = SurvivalTarget

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NNSurvivalAnalysis:
        """Train on X (rows, features) and a structured array y (rows,), weighted by sample_weight (rows,).

        The first field of y is whether a row has the event, and the second its time, or that until which it was seen,
        as of `sksurv.util.Surv`.

        Raises:
            ValueError: a parameter, or what is to be trained on, is not usable; the message says why.
        """
        frame = features(self, X, reset=True)
        event, time = survival(self, y)
        names = [free_name(name, frame.columns) for name in ("time", "event")]
        self._train(frame, pl.DataFrame(dict(zip(names, (time, event), strict=True))), sample_weight)
        self.unique_times_ = self._curve.times[1:]
        return self

    @property
    def _curve(self) -> SurvivalCurve:
        return present(self._loaded.model.spec.target.curve)

    def predict(self, X: Any) -> AnyArray:
        """The risk (rows,) of each row, higher for earlier events: the sum of its cumulative hazards."""
        S = self.predict_survival_function(X, return_array=True)
        return self._curve.risk(S)

    def predict_survival_function(self, X: Any, return_array: bool = False) -> AnyArray:
        """The survival functions (rows,) of the rows; as an array, their values (rows, times) at `unique_times_`."""
        S = self._predict(X, proba=True).drop("prediction").to_numpy().astype(np.float64)
        if return_array:
            return np.asarray(S)
        functions, curve = np.empty(len(S), object), self._curve
        functions[:] = [SurvivalFunction(self.unique_times_, row, curve) for row in S]
        return functions

    def predict_median(self, X: Any) -> AnyArray:
        """The times (rows,) until which half of such rows have the event; infinite after the last event of the fit."""
        return np.asarray(self._predict(X)["prediction"].fill_null(np.inf).to_numpy())

    def predict_lower_bound(self, X: Any, interval: float = 0.9) -> AnyArray:
        """The lower bounds (rows,) of the times: a share `interval` of new rows is expected to have a later event.

        See docs/howto/survival.md.

        Raises:
            ValueError: there are no validation rows to calibrate with, too few for the level, or several levels.
        """
        (bounds,) = self._calibrated(X, UncertaintyOptions(interval=one_level(interval))).of_type(LowerBounds)
        return np.asarray(bounds.lower)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Harrell's concordance of the risks with the times of y, weighted by sample_weight (rows,).

        NaN, with an `UndefinedMetricWarning`, if in no pair of rows with a weight one has the event before the other.

        Raises:
            ValueError: X, y or the weights are not usable, or their lengths differ.
        """
        risk = self.predict(X)
        event, time = survival(self, y)
        check_consistent_length(risk, time)
        w = weights(sample_weight, risk)
        w = np.ones(len(time)) if w is None else w
        concordance = comparable_pairs(time, event, risk, w).ratio(w)[0]
        if np.isnan(concordance):
            message = (
                "The concordance is not defined: in no pair of rows one is known to have the event before the other."
            )
            warn(message, UndefinedMetricWarning, stacklevel=2)
        return concordance

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
