"""What the first advice of `nncli diagnose` does to the test rows, followed literally in a shell.

    python benchmarks/advice.py TABLES                  # nine tables, and 24 trainings that are spoiled on purpose
    python benchmarks/advice.py TABLES --only hitters-0 --spoiled 6
    python benchmarks/advice.py TABLES --every          # every table, and every spoiled training

TABLES holds NAME/train.csv, NAME/test.csv and NAME/meta.json (target, task). Healthy trainings are those of the default
and of three plain configurations: following the advice to the default must not raise the loss of the test rows by more
than 1 %. A training is spoiled by its settings or its table. Its first advice fixes it if the loss of the test rows is
nearer to that of the training which was not spoiled than to its own; a leak is fixed if its column is dropped, and a
rare class if its recall rises by 0.15. What a spoiling does not harm by 5 % is not counted.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

TABLES = (
    *("attrition-0", "concrete", "diabetes-0", "glass-0", "hitters-0", "homeless-0", "indo-0", "pima-0"),
    "sacramento-0",
)
HEALTHY: dict[str, tuple[str, ...]] = {
    "default": ("quality=fast",),
    "plain": ("preset=textbook",),
    "wide": ("preset=textbook", "layers=[128, 128]", "epochs=60"),
    "decayed": (
        "preset=textbook",
        "layers=[32]",
        "optimizer={type: adamw, weight_decay: 0.01}",
        "learning_rate={type: cosine, peak: 0.003}",
        "epochs=40",
    ),
}
WORSE, HARMED, NEARER, RECALL = 1.01, 1.05, 0.5, 0.15
GOAL, LARGE = 0.85, 1_000
RARE, LEAK = "rare class", "leak"
Change = Callable[[pl.DataFrame, str], pl.DataFrame]


def few_rows(frame: pl.DataFrame, target: str) -> pl.DataFrame:
    """80 rows."""
    return frame.sample(min(80, len(frame)), seed=1, shuffle=True)


def rare_class(frame: pl.DataFrame, target: str) -> pl.DataFrame:
    """The rows with so few of the second class that it has 1.5 %."""
    last = frame[target].drop_nulls().unique().sort()[-1]
    common, rare = frame.filter(pl.col(target) != last), frame.filter(pl.col(target) == last)
    n = max(6, round(0.015 * len(common) / 0.985))
    return pl.concat([common, rare.sample(min(n, len(rare)), seed=1)]).sample(fraction=1.0, seed=2, shuffle=True)


def leak(frame: pl.DataFrame, target: str) -> pl.DataFrame:
    """A further column that gives the target away: codes of the classes, or the number with a little noise."""
    y, rng = frame[target], np.random.default_rng(0)
    numbers = y.cast(pl.Float64, strict=False)
    if numbers.n_unique() > 10:
        given = numbers * 3.0 + pl.Series(rng.normal(scale=0.01 * float(np.std(numbers.to_numpy())), size=len(y)))
        return frame.with_columns(given.alias("approved_value"))
    codes = y.cast(pl.String).replace_strict({v: f"k{i}" for i, v in enumerate(y.cast(pl.String).unique().sort())})
    return frame.with_columns(codes.alias("approved_value"))


@dataclass(frozen=True)
class Spoiling:
    """A training that is spoiled: on which tasks, by which settings, or by which change of the table.

    The training that is not spoiled has the settings `usual` instead, on the same table.
    """

    name: str
    tasks: tuple[str, ...]
    settings: tuple[str, ...] = ()
    usual: tuple[str, ...] = ("preset=textbook", "epochs=60")
    change: Change | None = None


EVERY = ("binary", "multiclass", "regression")
PLAIN = ("preset=textbook", "epochs=60")
SPOILINGS = (
    Spoiling("rate x 30", EVERY, (*PLAIN, "learning_rate=0.03", "optimizer={type: sgd, momentum: 0.99}")),
    Spoiling("rate x 300", EVERY, (*PLAIN, "learning_rate=0.3")),
    Spoiling("rate / 1,000", EVERY, (*PLAIN, "learning_rate=0.000001")),
    Spoiling("3 epochs", EVERY, ("preset=textbook", "epochs=3")),
    Spoiling(
        "no regularization on 80 rows",
        EVERY,
        ("preset=textbook", "layers=[256, 256]", "epochs=200", "learning_rate=0.003"),
        ("quality=fast",),
        few_rows,
    ),
    Spoiling("unscaled target", ("regression",), (*PLAIN, "encoding.target=none")),
    Spoiling("unscaled features", EVERY, (*PLAIN, "encoding.numeric=none", "optimizer=sgd", "learning_rate=0.01")),
    Spoiling("12 sigmoid layers", EVERY, (*PLAIN, f"layers={[16] * 12}", "activation=sigmoid")),
    Spoiling(RARE, ("binary",), PLAIN, PLAIN, rare_class),
    Spoiling(f"{RARE}, default", ("binary",), ("quality=fast",), ("quality=fast",), rare_class),
    Spoiling(LEAK, EVERY, PLAIN, PLAIN, leak),
    Spoiling(f"{LEAK}, default", EVERY, ("quality=fast",), ("quality=fast",), leak),
    Spoiling("strong l2", EVERY, (*PLAIN, "l2=1.0")),
    Spoiling("dropout of 0.9", EVERY, (*PLAIN, "layers=[64, {type: dropout, rate: 0.9}, 32]")),
    Spoiling("impatient", EVERY, ("preset=textbook", "epochs=60", "early_stopping={patience: 1, min_delta: 0.2}")),
    Spoiling("equal weights", EVERY, (*PLAIN, "init={type: constant, value: 0.1}")),
    Spoiling("tiny clip_norm", EVERY, (*PLAIN, "optimizer=sgd", "learning_rate=0.1", "clip_norm=0.0001")),
    Spoiling("wide weights", EVERY, (*PLAIN, "layers=[64, 64, 64]", "init={type: normal, std: 1.0}")),
    Spoiling("a unit for all", EVERY, (*PLAIN, "layers=[1]", "activation=sigmoid")),
    Spoiling("rate of the default x 300", EVERY, ("quality=fast", "learning_rate.peak=10"), ("quality=fast",)),
)
"""Twenty ways to spoil a training."""


@dataclass(frozen=True)
class Measured:
    """The first advice to a training and what it does: losses of the test rows, or recalls of a rare class.

    `usual` is that of the training that is not spoiled.
    """

    table: str
    name: str
    finding: str
    command: str
    before: float
    after: float | None
    usual: float

    @property
    def ratio(self) -> float:
        """The loss with the advice over that without; 1 without advice."""
        return 1.0 if self.after is None else self.after / self.before

    @property
    def is_harmed(self) -> bool:
        """Whether the spoiling is bad enough to be counted."""
        return self.name.startswith((RARE, LEAK)) or self.before > HARMED * self.usual

    @property
    def is_fixed(self) -> bool:
        """Whether the advice helps as it should."""
        if self.after is None:
            return False
        if self.name.startswith(RARE):
            return self.after >= self.before + RECALL
        if self.name.startswith(LEAK):
            return self.after == 0.0
        return self.before - self.after >= NEARER * (self.before - self.usual)


@dataclass(frozen=True)
class Shell:
    """Runs commands of nncli as a person would, in a folder."""

    folder: Path

    def __call__(self, command: str) -> str:
        """The standard output of a command.

        Raises:
            subprocess.CalledProcessError: it failed, with what it said.
        """
        program = f"{shlex.quote(sys.executable)} -m nncli"
        line = re.sub(r"^nncli\b", program.replace("\\", r"\\"), command)
        done = subprocess.run(line, shell=True, cwd=self.folder, capture_output=True, text=True)
        done.check_returncode()
        return done.stdout


def advice_of(shell: Shell, run: str) -> tuple[str, str]:
    """The code of the first finding of a run and the first command in its hint; empty if there is none."""
    findings = json.loads(shell(f"nncli diagnose {run} --json -q"))["findings"]
    if not findings:
        return "", ""
    found = re.search(r"nncli (?:train|threshold) .*", findings[0]["hint"])
    return findings[0]["code"], "" if found is None else found.group().rstrip(".")


def follow(shell: Shell, command: str, run: str) -> str:
    """Run a command that was advised, and name the run that it makes or changes."""
    if command.startswith("nncli threshold"):
        shell(f"{command} -q")
        return run
    shell(f"{command} -o {run}-advised -q")
    return f"{run}-advised"


def loss_of(shell: Shell, run: str, test: Path) -> float:
    """The log loss of the test rows, or the RMSE."""
    metrics = scores(shell, run, test)
    return float(metrics["log_loss" if "log_loss" in metrics else "rmse"])


def scores(shell: Shell, run: str, test: Path) -> dict[str, Any]:
    """The scores of the test rows."""
    metrics: dict[str, Any] = json.loads(shell(f"nncli evaluate {run} {shlex.quote(str(test))} --json -q"))["metrics"]
    return metrics


def train(shell: Shell, table: Path, target: str, settings: Sequence[str], run: str) -> None:
    """Train as a person would."""
    sets = " ".join(f"--set {shlex.quote(setting)}" for setting in settings)
    try:
        shell(f"nncli train {shlex.quote(str(table))} --target {shlex.quote(target)} {sets} -o {run} -q")
    except subprocess.CalledProcessError:
        if not (shell.folder / run / "manifest.json").is_file():  # one that diverged leaves a run to be diagnosed
            raise


def healthy(folder: Path, name: str, work: Path) -> Measured:
    """The first advice to a training that has nothing wrong."""
    meta, shell = json.loads((folder / "meta.json").read_text("utf-8")), Shell(work)
    run, test = f"{folder.name}-{name}", folder / "test.csv"
    train(shell, folder / "train.csv", meta["target"], HEALTHY[name], run)
    code, command = advice_of(shell, run)
    before = loss_of(shell, run, test)
    if not command or command.startswith("nncli threshold"):
        return Measured(folder.name, name, code, command, before, None, before)
    return Measured(folder.name, name, code, command, before, loss_of(shell, follow(shell, command, run), test), before)


def spoiled(folder: Path, spoiling: Spoiling, work: Path) -> Measured:
    """The first advice to a training that is spoiled."""
    meta, shell = json.loads((folder / "meta.json").read_text("utf-8")), Shell(work)
    run, target = re.sub(r"\W+", "-", f"{folder.name}-{spoiling.name}"), meta["target"]
    table, test = folder / "train.csv", folder / "test.csv"
    if spoiling.change is not None:
        table = work / f"{run}.csv"
        spoiling.change(pl.read_csv(folder / "train.csv", infer_schema=False), target).write_csv(table)
    if spoiling.name.startswith(LEAK):
        test = work / f"{run}-test.csv"
        leak(pl.read_csv(folder / "test.csv", infer_schema=False), target).write_csv(test)
    train(shell, table, target, spoiling.settings, run)
    code, command = advice_of(shell, run)
    advised = follow(shell, command, run) if command.startswith("nncli train") else run
    if spoiling.name.startswith(LEAK):
        described = json.loads(shell(f"nncli show {advised} --json -q"))
        has_leak = float("approved_value" in json.dumps(described["columns"]))
        return Measured(folder.name, spoiling.name, code, command, 1.0, has_leak, 0.0)
    if spoiling.name.startswith(RARE):
        before = scores(shell, run, test)["recall"]
        advised = follow(shell, command, run) if command.startswith("nncli threshold") else advised
        after = scores(shell, advised, test)["recall"] if command else None
        return Measured(folder.name, spoiling.name, code, command, before, after, 1.0)
    try:
        before = loss_of(shell, run, test)
    except subprocess.CalledProcessError:  # a training that diverged at once has no weights
        before = np.inf
    train(shell, table, target, spoiling.usual, f"{run}-usual")
    usual = loss_of(shell, f"{run}-usual", test)
    before = min(before, 100.0 * usual)
    after = loss_of(shell, advised, test) if command else None
    return Measured(folder.name, spoiling.name, code, command, before, after, usual)


def cases(folders: Sequence[Path], count: int | None) -> Iterator[tuple[Path, Spoiling]]:
    """The spoiled trainings, every spoiling in turn on another of the tables that it is for."""
    tasks = {folder: json.loads((folder / "meta.json").read_text("utf-8"))["task"] for folder in folders}
    pairs = []
    for turn in range(len(folders)):
        for i, spoiling in enumerate(SPOILINGS):
            fitting = [folder for folder in folders if tasks[folder] in spoiling.tasks]
            if spoiling.change is rare_class:  # 1.5 % of a few rows are none
                fitting = [folder for folder in fitting if sum(1 for _ in (folder / "train.csv").open("rb")) > LARGE]
            if turn < len(fitting):
                pairs.append((fitting[(i + turn) % len(fitting)], spoiling))
    yield from pairs if count is None else pairs[:count]


def report(normal: Sequence[Measured], ill: Sequence[Measured]) -> bool:
    """Print what was measured, and return whether the goals are reached."""
    worse = [m for m in normal if m.name == "default" and m.ratio > WORSE]
    plain = [m for m in normal if m.name != "default"]
    print(f"default: {sum(bool(m.command) for m in normal if m.name == 'default')} advised, {len(worse)} made worse")
    print(f"plain: {sum(bool(m.command) for m in plain)} advised, {sum(m.ratio > WORSE for m in plain)} made worse")
    counted = [m for m in ill if m.is_harmed]
    fixed = sum(m.is_fixed for m in counted)
    print(f"spoiled: {fixed} of {len(counted)} fixed by the first advice; {len(ill) - len(counted)} were not harmed")
    return not worse and fixed >= GOAL * len(counted)


def line(measured: Measured, *, is_ill: bool) -> str:
    """A measurement in a line."""
    after = "–" if measured.after is None else f"{measured.after:.4g}"
    usual = f" usual {measured.usual:.4g}" if is_ill else ""
    verdict = ("fixed" if measured.is_fixed else "NOT FIXED") if measured.is_harmed else "not harmed"
    verdict = verdict if is_ill else ("WORSE" if measured.ratio > WORSE else "")
    what = f"{measured.finding or 'nothing'} {measured.before:.4g} -> {after}{usual} {verdict}"
    return f"{measured.table:14} {measured.name:28} {what}\n    {measured.command}"


def main() -> int:
    """Measure healthy trainings, then spoiled ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--only", nargs="+", help="names of tables")
    parser.add_argument("--spoiled", type=int, default=24, help="spoiled trainings")
    parser.add_argument("--no-healthy", action="store_true", help="spoiled trainings alone")
    parser.add_argument("--every", action="store_true", help="every table, and every spoiled training")
    options = parser.parse_args()
    every = sorted(path.parent for path in options.tables.glob("*/meta.json"))
    folders = [folder for folder in every if options.every or folder.name in (options.only or TABLES)]
    normal, ill = list[Measured](), list[Measured]()
    with tempfile.TemporaryDirectory() as work:
        for folder in folders if not options.no_healthy else []:
            for name in HEALTHY:
                normal.append(healthy(folder.resolve(), name, Path(work)))
                print(line(normal[-1], is_ill=False), flush=True)
        for folder, spoiling in cases(folders, None if options.every else options.spoiled):
            ill.append(spoiled(folder.resolve(), spoiling, Path(work)))
            print(line(ill[-1], is_ill=True), flush=True)
    return 0 if report(normal, ill) else 1


if __name__ == "__main__":
    sys.exit(main())
