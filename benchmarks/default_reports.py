"""What the trainings of `default_tables.py` came to: tables of times, errors and ranks, with their goals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any

from accuracy import geometric, relative
from default_tables import CATBOOST, Fit, Plan
from results import Cell, Goal, Report
from timing import cores
from versions import BASELINE_TITLE, HERE_TITLE

SMALL_ROWS = 6000
"""Tables of up to so many rows have a limit of seconds."""
MEASURES = ("error", "log_loss")
WORST = 1.25
"""What no table's ratio to CatBoost is to exceed."""

Metas = Mapping[str, Mapping[str, Any]]
"""folder -> what its meta.json holds."""
Found = Mapping[str, Sequence[Fit]]
"""who -> fits."""
Values = dict[str, dict[str, float]]
"""table -> who -> value."""


def by_table(result: Found, names: Mapping[str, str], measure: str) -> Values:
    """Means over splits and rounds; `names` has the table of each folder."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for title, fits in result.items():
        for fit in fits:
            if (value := getattr(fit, measure)) is not None:
                values[names[fit.folder]][title].append(value)
    return {name: {who: fmean(some) for who, some in each.items()} for name, each in values.items()}


def ratios(result: Found, names: Mapping[str, str], over: str, under: str) -> dict[str, float]:
    """For each table the median over splits and rounds of the ratio of two seconds that were measured together."""
    values: dict[str, list[float]] = defaultdict(list)
    if under in result:
        for item, other in zip(result[over], result[under], strict=True):
            values[names[item.folder]].append(item.seconds / other.seconds)
    return {name: median(some) for name, some in values.items()}


def names_of(metas: Metas) -> dict[str, str]:
    """The table of each folder."""
    return {folder: meta["name"] for folder, meta in metas.items()}


def report_times(result: Found, metas: Metas, plan: Plan) -> Report:
    """Seconds of the whole trainings."""
    names = names_of(metas)
    rows_of = {meta["name"]: int(meta["n"]) for meta in metas.values()}
    seconds = by_table(result, names, "seconds")
    earlier, theirs = (ratios(result, names, HERE_TITLE, title) for title in (BASELINE_TITLE, CATBOOST))
    rows: list[list[Cell]] = []
    for name, value in seconds.items():
        everyone = [value.get(who) for who in (HERE_TITLE, BASELINE_TITLE, CATBOOST)]
        rows.append([name, float(rows_of[name]), *everyone, earlier.get(name), theirs.get(name)])
    is_fast, is_numpy = ("quality=fast" in plan.settings, "backend=numpy" in plan.settings)
    goals = []
    for who, some, limit in (
        ("the baseline's", earlier, 0.33 if is_fast or is_numpy else 0.25),
        ("CatBoost's", theirs, 1.0 if is_fast else 1.5),
    ):
        if some:
            goals.append(Goal(f"time against {who}, geometric mean", geometric(list(some.values())), "≤", limit))
    small = {name: value[HERE_TITLE] for name, value in seconds.items() if rows_of[name] <= SMALL_ROWS}
    if small:
        slowest = max(small, key=small.__getitem__)
        goals.append(Goal(f"the slowest of up to {SMALL_ROWS:,} rows ({slowest})", small[slowest], "≤", 12.0, " s"))
    if "adult" in seconds:
        goals.append(Goal("adult", seconds["adult"][HERE_TITLE], "≤", 45.0, " s"))
    note = f"Whole `nncli train`, {cores()} cores; {', '.join(plan.settings) or 'no setting'}; {plan.rounds} rounds."
    columns = ("table", "rows", "nncli, s", "baseline, s", "CatBoost, s", "÷ baseline", "÷ CatBoost")
    return Report("Time of a training", note, columns, rows, goals)


def report_errors(result: Found, metas: Metas, peers: Values, measure: str, plan: Plan) -> Report:
    """Errors or log-losses beside CatBoost's, and ranks among the peers.

    Args:
        peers: table -> model -> mean; a CatBoost that was measured in the same rounds replaces that.
    """
    rows: list[list[Cell]] = []
    against: dict[str, float] = {}
    ranks: dict[str, list[int]] = defaultdict(list)
    for name, value in by_table(result, names_of(metas), measure).items():
        measured = {who: value[who] for who in (HERE_TITLE, CATBOOST) if who in value}
        everyone = {**peers.get(name, {}), **measured}
        for who, item in everyone.items():
            ranks[who].append(1 + sum(other < item for other in everyone.values()))
        if CATBOOST in everyone:
            against[name] = relative(value[HERE_TITLE], everyone[CATBOOST], measure)
        rank = f"{ranks[HERE_TITLE][-1]} of {len(everyone)}"
        cells = (value[HERE_TITLE], value.get(BASELINE_TITLE), everyone.get(CATBOOST), against.get(name))
        rows.append([name, *cells, rank])
    title = measure.replace("_", "-").capitalize()
    note = "On the test rows, means over splits and rounds; "
    note += "1 - accuracy or 1 - R²." if measure == "error" else "tables with classes."
    goals = [*_against(against, measure, plan), *_ranks(ranks, len(rows))]
    return Report(title, note, ("table", "nncli", "baseline", "CatBoost", "÷ CatBoost", "rank"), rows, goals)


def _against(ratios: Mapping[str, float], measure: str, plan: Plan) -> list[Goal]:
    """The goals of the ratios to CatBoost."""
    if not ratios:
        return []
    if "quality=fast" in plan.settings:
        limits = {"error": 0.98, "log_loss": 0.95}
    elif plan.is_tuned_to:
        limits = {"error": 0.708, "log_loss": 0.605}
    else:
        limits = {"error": 0.90, "log_loss": 0.85}
    worst = max(ratios, key=ratios.__getitem__)
    return [
        Goal("against CatBoost's, geometric mean", geometric(list(ratios.values())), "≤", limits[measure]),
        Goal(f"against CatBoost's, worst table ({worst})", ratios[worst], "≤", WORST),
    ]


def _ranks(ranks: Mapping[str, Sequence[int]], tables: int) -> list[Goal]:
    """The goal to be first by mean rank, among those with a score of every table."""
    means = {who: fmean(some) for who, some in ranks.items() if len(some) == tables and who != HERE_TITLE}
    if not means:
        return []
    second = min(means, key=means.__getitem__)
    return [Goal(f"mean rank, against that of {second}", fmean(ranks[HERE_TITLE]), "≤", means[second], "")]


def report_calibration(result: Found, metas: Metas) -> Report:
    """The expected calibration error of the tables with classes."""
    values = by_table(result, names_of(metas), "ece")
    who = list(result)
    rows: list[list[Cell]] = [[name, *(value.get(title) for title in who)] for name, value in values.items()]
    goals = [Goal("mean", fmean(v[HERE_TITLE] for v in values.values()), "≤", 0.02, "")] if values else []
    return Report("Calibration error", "Of the highest probability, on the test rows.", ("table", *who), rows, goals)
