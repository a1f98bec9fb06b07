"""`nncli compare`: in what runs differ, how good each is, and which are better on rows that none was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, TypeAlias

from nncli.commands.runs import RunInfo, info_of, is_run, list_runs
from nncli.config.loading import load_config
from nncli.config.schema import Config
from nncli.errors import ConfigError, NncliError, UsageError
from nncli.evaluation.config_diff import ResolvedConfig, Setting, config_diff
from nncli.evaluation.held_out import On
from nncli.evaluation.pairwise import ComparableRun, PairwiseResult, compare_pairwise, held_out
from nncli.evaluation.run_summary import RunSummary, summarize_run
from nncli.evaluation.score_intervals import ScoreWithInterval, score_with_intervals
from nncli.metrics.registry import higher_is_better
from nncli.runs.history import History, RecordedScores
from nncli.runs.manifest import CONFIG, member_folder
from nncli.runs.run import Run
from nncli.utils.logs import log_duration

Histories: TypeAlias = tuple[tuple[int, History], ...]


@dataclass(frozen=True)
class Side:
    """One of the runs. `scores` are of `rows` rows that it was judged `on`; without intervals, as they were written
    down, where these rows are not at hand. `troubles` say what of the run cannot be told, and why."""

    path: Path
    name: str
    info: RunInfo
    config: ResolvedConfig | None = None
    on: On | None = None
    rows: int = 0
    scores: tuple[ScoreWithInterval, ...] = ()
    histories: Histories = ()
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScoreLine:
    """One score of every run, None where a run has none; `best` says which of them is best among the runs that learned
    the same target of the same table."""

    name: str
    target: str | None
    values: tuple[ScoreWithInterval | None, ...]
    best: tuple[bool, ...]


@dataclass(frozen=True)
class Comparison:
    """Runs beside each other. `kinds` numbers the table and target of each; None is not known."""

    sides: tuple[Side, ...]
    kinds: tuple[int | None, ...]
    settings: tuple[Setting, ...]
    scores: tuple[ScoreLine, ...]
    pairs: tuple[PairwiseResult, ...]
    notes: tuple[str, ...]

    def sentence(self, pair: PairwiseResult) -> str:
        """What was found of a pair."""
        return pair.in_words(self.sides[pair.a].name, self.sides[pair.b].name)

    def json(self) -> dict[str, Any]:
        """All but the histories; null is what is not known, or not a finite number."""
        return {
            "runs": [
                {
                    **side.info.json(),
                    "name": side.name,
                    "judged_on": side.on,
                    "judged_rows": side.rows,
                    "troubles": list(side.troubles),
                }
                for side in self.sides
            ],
            "settings": [{"key": one.key, "values": list(one.values)} for one in self.settings],
            "scores": [_line_json(line) for line in self.scores],
            "pairs": [self._pair_json(pair) for pair in self.pairs],
            "notes": list(self.notes),
        }

    def _pair_json(self, pair: PairwiseResult) -> dict[str, Any]:
        found = pair.found
        interval = None if found is None else found.interval
        return {
            "a": str(self.sides[pair.a].path),
            "b": str(self.sides[pair.b].path),
            "rows": pair.rows,
            "units": found and found.units,
            "measure": pair.measure,
            "a_is_better_by": found and _finite(found.mean),
            "low": interval and _finite(interval.low),
            "high": interval and _finite(interval.high),
            "p": found and found.p,
            "adjusted_p": pair.adjusted,
            "told_apart": pair.is_significant,
            "words": self.sentence(pair),
        }


def compare(runs: str | Path | Sequence[str | Path]) -> Comparison:
    """Hold runs against each other: those named, or all in a folder.

    Each is judged on the rows that it held out. Two of the same table and target are tested on the rows that both did,
    which neither was trained on. Of a run that is damaged, unfinished, or whose table is gone, what is known is told.

    Raises:
        UsageError: there are fewer than two runs.
        RunError: a folder does not exist.
    """
    wanted = [runs] if isinstance(runs, str | Path) else list(runs)
    paths = _paths([Path(path) for path in wanted])
    told = [_look(path, name) for path, name in zip(paths, _names(paths), strict=True)]
    sides, held = tuple(side for side, _ in told), [rows for _, rows in told]
    seen: dict[object, int] = {}
    kinds = tuple(None if one is None else seen.setdefault(one.kind, len(seen)) for one in held)
    found = compare_pairwise(held)
    return Comparison(
        sides=sides,
        kinds=kinds,
        settings=config_diff([side.config for side in sides]),
        scores=_score_lines(sides, kinds),
        pairs=found,
        notes=tuple(_notes(sides, kinds, held, found)),
    )


def _paths(wanted: Sequence[Path]) -> list[Path]:
    """The runs named, and those in folders that are named."""
    found: dict[Path, Path] = {}
    for path in wanted:
        if not path.is_dir():
            Run.open(path)  # says what is wrong
        inside = [path] if is_run(path) else [run.path for run in list_runs(path) if run.kind != "cross-validation"]
        for one in inside:
            found.setdefault(one.resolve(), one)
    for path in found.values():
        if info_of(path).kind == "cross-validation":
            raise UsageError(
                f"a cross-validation is no run: {path}", hint=f"Its folds are: nncli compare {path / 'folds'}"
            )
    if len(found) < 2:
        few = "there is but one run" if found else "there is no run"
        raise UsageError(f"{few} to compare", hint="Name two or more: nncli compare RUN RUN. `nncli runs` lists them.")
    return list(found.values())


def _names(paths: Sequence[Path]) -> list[str]:
    """The last part of each path, or all of it where two end alike."""
    short = [path.resolve().name for path in paths]
    return [name if short.count(name) == 1 else str(path) for name, path in zip(short, paths, strict=True)]


def _look(path: Path, name: str) -> tuple[Side, ComparableRun | None]:
    """What can be told of a run, and of the rows that it held out."""
    info = info_of(path)
    try:
        with log_duration(f"judging {path}"):
            evidence = summarize_run(Run.open(path).path)
    except NncliError as error:
        return Side(path, name, info, troubles=(str(error),)), None
    troubles, config = list(evidence.problems), None
    if info.status in ("running", "killed"):
        how = "it is still running" if info.status == "running" else f"it was killed; nncli train --resume {path}"
        troubles.append(f"What it comes to is not known yet: {how}")
    if evidence.config is not None:
        try:
            config = ResolvedConfig(load_config(path / CONFIG), _member(path, evidence.manifest.members))
        except ConfigError as error:
            troubles.append(f"The configuration cannot be read: {error}")
    on, rows, scores, held = _scores(evidence)
    return Side(path, name, info, config, on, rows, scores, evidence.histories, tuple(troubles)), held


def _member(path: Path, members: int) -> Config | None:
    """The configuration of an ensemble's first member, which has settled what depends on the table, if it was begun."""
    file = path / member_folder(0) / CONFIG
    return load_config(file) if members > 1 and file.is_file() else None


def _scores(evidence: RunSummary) -> tuple[On | None, int, tuple[ScoreWithInterval, ...], ComparableRun | None]:
    """On what the run was judged, how many rows, its scores there, and what it says of those that it held out."""
    judged, metrics = evidence.judged, evidence.metrics
    if judged is not None:
        return judged.split, len(judged), score_with_intervals(judged).scores, held_out(judged)
    if metrics is None:
        return None, 0, (), None
    if metrics.validation is not None:
        return "validation", metrics.validation.rows, _recorded(metrics.validation), None
    return (
        ("training", metrics.training.rows, _recorded(metrics.training), None)
        if metrics.training
        else (None, 0, (), None)
    )


def _recorded(card: RecordedScores) -> tuple[ScoreWithInterval, ...]:
    return tuple(ScoreWithInterval(one.target, one.name, one.value, None, one.baseline, None) for one in card.scores)


def _score_lines(sides: Sequence[Side], kinds: Sequence[int | None]) -> tuple[ScoreLine, ...]:
    """Every score that any run has, in the order that they come."""
    each = [{(one.target, one.name): one for one in side.scores} for side in sides]
    keys = dict.fromkeys(key for scores in each for key in scores)
    lines = []
    for target, name in keys:
        values = tuple(scores.get((target, name)) for scores in each)
        sign = -1.0 if higher_is_better(name) else 1.0
        of_kind: dict[int, list[float]] = {}
        known = [None if one is None or one.value is None else sign * one.value for one in values]
        for kind, value in zip(kinds, known, strict=True):
            if kind is not None and value is not None:
                of_kind.setdefault(kind, []).append(value)
        best = tuple(
            kind is not None and value is not None and len(of_kind[kind]) > 1 and value == min(of_kind[kind])
            for kind, value in zip(kinds, known, strict=True)
        )
        lines.append(ScoreLine(name, target, values, best))
    return tuple(lines)


def _notes(
    sides: Sequence[Side],
    kinds: Sequence[int | None],
    held: Sequence[ComparableRun | None],
    found: Sequence[PairwiseResult],
) -> list[str]:
    """What a person has to know to read the rest rightly."""
    notes = [f"{side.name}: {trouble}" for side in sides for trouble in side.troubles]
    for side, kind, rows in zip(sides, kinds, held, strict=True):
        if side.on == "training":
            notes.append(f"{side.name} held no rows out: its scores are of the rows that it was trained on")
        elif side.on is not None and rows is None and kind is None and not side.troubles:
            notes.append(f"{side.name} validates on the table that it was trained on: its scores say little")
        elif kind is not None and kinds.count(kind) == 1 and len(sides) > 1:
            notes.append(f"no other run has the table and the target of {side.name}: its scores stand alone")
    tested = [pair for pair in found if pair.found is not None]
    apart = [pair for pair in found if not (pair.rows == sides[pair.a].rows == sides[pair.b].rows)]
    if apart:
        notes.append("not all runs held out the same rows: their scores differ by that too, the pairs below do not")
    if len(tested) > 1:
        notes.append("p-values are adjusted for all tests among which these were chosen, by Holm's method")
    return notes


def _line_json(line: ScoreLine) -> dict[str, Any]:
    runs = [
        None
        if one is None
        else {
            "value": _finite(one.value),
            "low": None if one.interval is None else _finite(one.interval.low),
            "high": None if one.interval is None else _finite(one.interval.high),
            "best": best,
        }
        for one, best in zip(line.values, line.best, strict=True)
    ]
    return {"metric": line.name, "target": line.target, "runs": runs}


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
