"""`nncli check`: a look at configuration, table and network before anything is trained, and a few steps tried."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

from nncli.checks.dry_run import DryRun, dry_run
from nncli.checks.findings import NOTE, Finding, of_error, ordered
from nncli.checks.network_size import NetworkFacts
from nncli.checks.table_checks import DOUBTFUL, TableReport, check_table
from nncli.config.loading import load_partial, with_source_line
from nncli.config.schema import Config
from nncli.data.store.scratch import Scratch
from nncli.errors import ConfigError, ConfigIssue, DataError, Location, UsageError
from nncli.pipeline.ensemble.member_config import check_members, member_config
from nncli.pipeline.parallel.executor import workers_for
from nncli.pipeline.prepare.execution import choose_execution
from nncli.pipeline.prepare.prepare import PreparedTraining, prepare
from nncli.utils.logs import log_duration
from nncli.utils.memory import format_bytes, free_memory

MOST_MISTAKES = 5
"""Mistakes that only show once the table is known, up to which they are looked for; each costs another reading."""


@dataclass(frozen=True)
class Estimate:
    """What a training will take, as far as it can be told beforehand.

    `seconds` are an upper bound where it may stop early. Of `members` networks, `workers` are trained at a time.
    """

    memory_bytes: int
    seconds: float
    epochs: int
    steps_an_epoch: int
    members: int
    workers: int
    may_stop_early: bool

    @property
    def as_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "memory_bytes": self.memory_bytes,
            "seconds": self.seconds,
            "epochs": self.epochs,
            "steps_per_epoch": self.steps_an_epoch,
            "members": self.members,
            "workers": self.workers,
            "may_stop_early": self.may_stop_early,
        }


@dataclass(frozen=True)
class Check:
    """All that was found, errors first; the rest is None where it could not come to that."""

    findings: tuple[Finding, ...]
    table: str | None = None
    network: NetworkFacts | None = None
    estimate: Estimate | None = None
    trial: DryRun | None = None

    def warning(self, doubts: Sequence[str]) -> Check:
        """This, with columns in doubt that were settled for the person, each as a warning."""
        place = Location(source=self.table)
        settled = [Finding("warning", DOUBTFUL, place, doubt, "") for doubt in doubts]
        return replace(self, findings=ordered([*self.findings, *settled]))

    @property
    def exit_code(self) -> int:
        """3 if a configuration is wrong, else 4 if a table is, else 0."""
        return min((finding.exit_code for finding in self.findings if finding.exit_code), default=0)

    @property
    def as_json(self) -> dict[str, Any]:
        """As one JSON object."""
        return {
            "findings": [finding.as_json for finding in self.findings],
            "network": self.network.as_json if self.network else None,
            "estimate": self.estimate.as_json if self.estimate else None,
            "trial": self.trial.as_json if self.trial else None,
        }


def check(
    config: Config | str | Path, *, assignments: Sequence[str] = (), tell: Callable[[str], None] = lambda line: None
) -> Check:
    """Look at a configuration, or at the one in a file, and at all that it names. Nothing is written.

    What is wrong is not raised but found, and whatever else can be looked at still is: without columns that cannot be
    read, or, where the file has mistakes, the table alone. Of an ensemble one member is tried.

    Args:
        config: a `Config`, a path, or `-` for the standard input.
        assignments: overrides such as `epochs=10`, for a path only.
        tell: is told, line by line, what is being done.

    Raises:
        UsageError: an assignment is not of the form key=value, or a table's name says no format.
        NncliError: there is no room for temporary files.
    """
    if not isinstance(config, Config):
        usable, mistakes = load_partial(config, assignments, os.environ)
        if usable is None or mistakes:
            return _of_table_alone(usable, mistakes, tell)
        checked = _check(usable, tell)
        return replace(checked, findings=tuple(_placed(config, assignments, found) for found in checked.findings))
    if assignments:
        raise UsageError("assignments go with the path of a configuration, not with a Config")
    return _check(config, tell)


def _placed(path: str | Path, assignments: Sequence[str], finding: Finding) -> Finding:
    """The finding with the line of the configuration that it is about, if it is about one."""
    of_key = ConfigIssue(finding.message, finding.place, finding.hint, finding.excerpt)
    mistake = with_source_line(path, assignments, of_key, os.environ)
    return replace(finding, place=mistake.place, excerpt=mistake.excerpt)


def _check(config: Config, tell: Callable[[str], None]) -> Check:
    found: list[Finding] = []
    one = config
    if config.members > 1:
        try:
            check_members(config)
        except ConfigError as error:
            found += of_error(error)
        one = member_config(config, 0, Path(), workers_for(config.members, config.workers))
    with log_duration("examining the table"):
        examination = check_table(config, tell)
    found += examination.findings
    checked = Check(ordered(found), config.data.path)
    if not examination.trainable:
        return checked
    with Scratch() as scratch:
        return _with_network(checked, config, _readable(one, examination), scratch, tell)


def _of_table_alone(config: Config | None, mistakes: Sequence[ConfigIssue], tell: Callable[[str], None]) -> Check:
    """What there is to say where the file has mistakes; `config` is what can be used of it."""
    found = of_error(ConfigError(*mistakes))
    if config is None:
        return Check(found)
    of_table = [finding for finding in check_table(config, tell).findings if finding.place.key is None]
    return Check(ordered([*found, *of_table]), config.data.path)


def _readable(config: Config, examination: TableReport) -> Config:
    """The configuration without the columns that cannot be read, and those without a value, of which all is said."""
    out = {*examination.unusable, *examination.empty}
    data = config.data
    features = None if data.features is None else tuple(name for name in data.features if name not in out)
    columns = {name: kind for name, kind in data.columns.items() if name not in out}
    drop = (*data.drop, *sorted(out - set(data.drop)))
    changed = data.model_copy(update={"features": features, "drop": drop, "columns": columns})
    return config.model_copy(update={"data": changed})


def _with_network(checked: Check, config: Config, one: Config, scratch: Scratch, tell: Callable[[str], None]) -> Check:
    """What is known once the rows are encoded, the network is built, and a few steps were tried."""
    tell("encoding the rows")
    prepared, wrong = _prepared(one, scratch)
    if prepared is None:
        return replace(checked, findings=ordered([*checked.findings, *wrong]))
    execution, note = choose_execution(prepared)
    network = NetworkFacts.of(prepared)
    found = [*checked.findings, *_noted((*prepared.notes, *([note] if note else [])), checked.findings)]
    workers = workers_for(config.members, config.workers)
    short = _memory(network, workers)
    if short is not None:
        return replace(checked, findings=ordered([*found, short]), network=network)
    tell(f"trying a few steps of {prepared.spec.network.layout.size:,} parameters")
    with log_duration("trying a few steps"), execution.activate(prepared) as ready:
        for note in ready.notes[len(prepared.notes) :]:
            tell(note)
        trial, finding = dry_run(ready)
    found += [finding] if finding else []
    estimate = _estimate(config, prepared, network, trial, workers)
    return replace(checked, findings=ordered(found), network=network, estimate=estimate, trial=trial)


def _prepared(config: Config, scratch: Scratch) -> tuple[PreparedTraining | None, list[Finding]]:
    """The training ready to begin, or why it cannot: each key that is wrong is set back, to come to the next."""
    wrong: list[Finding] = []
    for _ in range(MOST_MISTAKES):
        try:
            prepared = prepare(config, scratch)
            choose_execution(prepared)
        except ConfigError as error:
            wrong += of_error(error)
            keys = {(mistake.place.key or "").partition(".")[0] for mistake in error.issues}
            if not keys <= Config.model_fields.keys() - {"data"}:
                return None, wrong
            usual = {key: () if key == "layers" else Config.model_fields[key].default for key in keys}
            config = config.model_copy(update=usual)
        except DataError as error:
            return None, [*wrong, *of_error(error)]
        else:
            return (None if wrong else prepared), wrong
    return None, wrong


def _noted(notes: Sequence[str], found: Sequence[Finding]) -> list[Finding]:
    """What a training would note, but for what a finding says in the same words."""
    said = {finding.message for finding in found}
    return [Finding("note", NOTE, Location(), note, "") for note in notes if note not in said]


def _memory(network: NetworkFacts, workers: int) -> Finding | None:
    free = free_memory()
    needed = _all_memory(network, workers)
    if needed <= free:
        return None
    message = f"the training needs about {format_bytes(needed)} of memory, and {format_bytes(int(free))} are free"
    mend = "Use a smaller network, batch_size or, of an ensemble, fewer workers, or close other programs."
    return Finding("warning", "memory", Location(), message, mend)


def _all_memory(network: NetworkFacts, workers: int) -> int:
    """Bytes of all processes: several workers are waited for by one more, which reads the table and predicts it too."""
    return network.memory_bytes * (workers + 1 if workers > 1 else 1)


def _estimate(
    config: Config, prepared: PreparedTraining, network: NetworkFacts, trial: DryRun, workers: int
) -> Estimate:
    plan = prepared.arguments
    steps = ceil(len(prepared.training) / plan.batch_size)
    one = plan.epochs * (steps * trial.seconds_a_step + trial.seconds_an_epoch)
    return Estimate(
        memory_bytes=_all_memory(network, workers),
        seconds=one * ceil(config.members / workers),
        epochs=plan.epochs,
        steps_an_epoch=steps,
        members=config.members,
        workers=workers,
        may_stop_early=plan.patience is not None,
    )
