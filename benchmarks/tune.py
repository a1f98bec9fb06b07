"""What `nncli tune` finds: its sampler beside random search, what `lag` costs, and what pruning saves.

    python benchmarks/tune.py TABLES                                   # samplers, lag, pruning
    python benchmarks/tune.py TABLES --only pruning --tables car concrete --seeds 1
    python benchmarks/tune.py TABLES --only lag --simulations 100

TABLES holds NAME/train.csv and NAME/meta.json (target). Trials are small networks on at most `--rows` rows of each
table, see `tune_trials.py`; with `--work` their results are kept, and a run that was interrupted goes on. No row of
test.csv is read. `make bench-tune` runs it.

samplers: the best score after `--trials` trials, mean over the seeds, of TPE and of random search. The first trials of
both are the same, since TPE begins with random ones.
lag: the trials that the search needs until its best is as good as that of plain Optuna after `--trials` trials, one
after another (`study.optimize` with Optuna's own TPESampler). Medians over tables and seeds of real trainings, and of
simulations in which a forest, fitted to all trials that were trained on a table, stands for the training.
pruning: seconds of the processor, and the best score, of searches with and without pruning.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import fmean, median

from results import Cell, Goal, Report, show
from tune_search import Ended, Objective, best_so_far, plain_optuna, search
from tune_surrogate import Surrogate
from tune_trials import Folds, Trials

WON, SAVED, WORSE, LAG_COST = 0.75, 40.0, 1.0, 1.05
"""The goals: the share of tables where TPE is better than random search (9 of 12), what pruning saves and costs in
percent, and trials with lag over those without."""
PLUS = 0.002
"""Added to both log losses of a ratio, so that one near 0 does not count for much."""
LAG = 4
LAGGED = 1.5
"""The search with lag may take so many times the trials of the one without."""
FOLDS = 5


def relative(mine: float, other: float, metric: str) -> float:
    """By how many percent a loss is larger than another one."""
    plus = PLUS if metric == "log_loss" else 0.0
    return 100 * ((mine + plus) / (other + plus) - 1)


def best(ended: Sequence[Ended]) -> float:
    """The best loss of a search."""
    return best_so_far(ended)[-1]


class Tables:
    """The trials of each table, with the options of the command."""

    def __init__(self, options: argparse.Namespace, work: Path) -> None:
        result = sorted(path.parent for path in options.folder.resolve().glob("*/meta.json"))
        self._folders = [item for item in result if not options.tables or item.name in options.tables]
        self._options, self._work = options, work
        self.seeds, self.n = range(options.seeds), options.trials

    def each(self, folds: Folds) -> Iterator[tuple[str, Trials]]:
        """The name of each table, and its trials."""
        for folder in self._folders:
            print(folder.name, file=sys.stderr, flush=True)
            rows = self._options.rows if folds == "holdout" else 2 * self._options.rows // 3
            with Trials(folder, self._work, rows, folds) as trials:
                yield folder.name, trials


def samplers(tables: Tables, options: argparse.Namespace) -> Report:
    """TPE beside random search."""
    rows, won = list[list[Cell]](), []
    for name, trials in tables.each("holdout"):
        random = [best(search(trials, "random", seed, tables.n, lag=LAG)) for seed in tables.seeds]
        tpe = [best(search(trials, "tpe", seed, tables.n, lag=LAG)) for seed in tables.seeds]
        start = best(search(trials, "random", 0, 0, lag=LAG))
        won.append(fmean(tpe) < fmean(random))
        better = sum(mine < other for mine, other in zip(tpe, random, strict=True))
        rows.append([name, trials.metric, start, fmean(random), fmean(tpe), f"{better} of {len(tables.seeds)}"])
    goal = Goal("tables where TPE is better", sum(won), "≥", round(WON * len(won)), f" of {len(won)}")
    note = f"Best score after {tables.n} trials, mean of {len(tables.seeds)} seeds; lower is better."
    columns = ["table", "metric", "configuration itself", "random", "TPE", "seeds where TPE is better"]
    return Report("Samplers", note, columns, rows, [goal])


def needed(ended: Sequence[float], target: float) -> int:
    """The number of trials after which a search is as good as `target`; one more than all if it never is."""
    return next((t for t, loss in enumerate(ended) if loss <= target), len(ended))


def lag(tables: Tables, options: argparse.Namespace) -> Report:
    """The trials that a search with lag needs, over those of plain Optuna."""
    rows, ratios, simulated = list[list[Cell]](), list[float](), list[float]()
    for name, trials in tables.each("holdout"):
        needed = [_needed(trials, seed, tables.n) / tables.n for seed in tables.seeds]
        surrogate = Surrogate(trials)
        surrogate_needed = [_needed(surrogate, seed, tables.n) / tables.n for seed in range(options.simulations)]
        ratios += needed
        simulated += surrogate_needed
        rows.append([name, median(needed), median(surrogate_needed) if surrogate_needed else None])
    goals = [Goal("trials with lag 4, of real trainings", median(ratios), "≤", LAG_COST)]
    if simulated:
        goals.append(Goal("trials with lag 4, simulated", median(simulated), "≤", LAG_COST))
    note = (
        f"Trials with lag {LAG} until the best score is that of plain Optuna after {tables.n} trials, over {tables.n}: "
        f"medians of {len(tables.seeds)} seeds, and of {options.simulations} simulations."
    )
    return Report("Lag", note, ["table", "real trainings ×", "simulated ×"], rows, goals)


def _needed(objective: Objective, seed: int, n: int) -> int:
    target = best(plain_optuna(objective, seed, n))
    return needed(best_so_far(search(objective, "tpe", seed, int(LAGGED * n), lag=LAG)), target)


def pruning(tables: Tables, options: argparse.Namespace) -> Report:
    """What pruning saves, and what it costs."""
    rows, saved, worse, all_seconds = list[list[Cell]](), list[float](), list[float](), [0.0, 0.0]
    for name, trials in tables.each(FOLDS):
        pairs = [
            [search(trials, "tpe", seed, tables.n, lag=LAG, prune=prune) for prune in (False, True)]
            for seed in tables.seeds
        ]
        seconds = [sum(item.seconds for pair in pairs for item in pair[i]) for i in range(2)]
        means = [fmean(best(pair[i]) for pair in pairs) for i in range(2)]
        pruned = fmean(sum(item.is_pruned for item in pair[1]) for pair in pairs)
        saved.append(100 * (1 - seconds[1] / seconds[0]))
        worse.append(fmean(relative(best(pair[1]), best(pair[0]), trials.metric) for pair in pairs))
        all_seconds = [a + b for a, b in zip(all_seconds, seconds, strict=True)]
        rows.append([name, trials.metric, *means, f"{worse[-1]:+.2f} %", *seconds, f"{saved[-1]:.0f} %", pruned])
    goals = [
        Goal("time saved, median", median(saved), "≥", SAVED, " %"),
        Goal("time saved, of all seconds", 100 * (1 - all_seconds[1] / all_seconds[0]), "≥", SAVED, " %"),
        Goal("loss of score, mean", fmean(worse), "≤", WORSE, " %"),
    ]
    note = f"{FOLDS} folds, {tables.n} trials, mean of {len(tables.seeds)} seeds. Scores: lower is better."
    columns = ["table", "metric", "all folds", "pruned", "worse by", "s", "s pruned", "saved", "trials pruned"]
    return Report("Pruning", note, columns, rows, goals)


PARTS: dict[str, Callable[[Tables, argparse.Namespace], Report]] = {
    "samplers": samplers,
    "lag": lag,
    "pruning": pruning,
}


def arguments() -> argparse.ArgumentParser:
    options_parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options_parser.add_argument("folder", metavar="TABLES", type=Path)
    options_parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS), help="default: all")
    options_parser.add_argument("--tables", nargs="*", metavar="NAME", help="names of tables; default: all")
    options_parser.add_argument("--trials", type=int, default=30, help="besides trial 0 (default 30)")
    options_parser.add_argument("--seeds", type=int, default=3, help="searches on each table (default 3)")
    options_parser.add_argument(
        "--rows",
        type=int,
        default=1_500,
        help="at most so many of each table, half of them for validation; two thirds of it with folds",
    )
    options_parser.add_argument("--simulations", type=int, default=30, help="of lag, on each table (default 30)")
    options_parser.add_argument("--work", type=Path, help="a folder where the results of trials are kept")
    return options_parser


def main() -> None:
    options = arguments().parse_args()
    with tempfile.TemporaryDirectory() as name:
        tables = Tables(options, options.work or Path(name))
        for part in options.only:
            show([PARTS[part](tables, options)])
            sys.stdout.flush()


if __name__ == "__main__":
    main()
