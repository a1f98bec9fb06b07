"""`nncli check`: checks of a configuration, its table and its network before a training, with a short dry run."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from math import ceil
from pathlib import Path
from typing import Any

from nncli.api.options import CheckOptions
from nncli.api.training_input import copied_table, resolve_input
from nncli.base.credentials import redacted
from nncli.base.dataclass import dataclass
from nncli.base.errors import ConfigError, ConfigIssue, DataError, Location
from nncli.base.findings import Finding, FindingCode, of_error, ordered
from nncli.base.logs import log_duration
from nncli.base.memory import format_bytes, free_memory
from nncli.base.option import operation
from nncli.base.scratch import Scratch
from nncli.config.loading import load, load_partial, with_source_line
from nncli.config.schema import Config
from nncli.fitting.dry_run import DryRun, NetworkSize, TableReport, check_table, dry_run
from nncli.fitting.ensemble.out_of_fold import check_members, member_config
from nncli.fitting.parallel.task_stream import Workers
from nncli.fitting.prepare.auto_values import resolve_members
from nncli.fitting.prepare.execution import choose_execution
from nncli.fitting.prepare.load import table_copies
from nncli.fitting.prepare.prepare import PreparedTraining, prepare

MAX_ATTEMPTS = 5
"""Attempts to prepare the training, each with one more invalid key replaced by its default."""


@dataclass(frozen=True)
class Estimate:
    """The estimated cost of a training.

    `seconds` are an upper bound with early stopping. `workers` of the `members` networks are trained in parallel.
    """

    memory_bytes: int
    seconds: float
    epochs: int
    steps_per_epoch: int
    members: int
    workers: int
    may_stop_early: bool


@dataclass(frozen=True)
class SearchSize:
    """The size of the search of the section `tune`: `combinations` are None if they are not finite, or too many.

    There are no `parameters` where the section has none, and the search space for the preset is used.
    """

    parameters: tuple[str, ...]
    combinations: int | None
    trials: int


@dataclass(frozen=True)
class CheckResult:
    """The findings, errors first; the rest is None if an error prevented it, or there is no section `tune`."""

    findings: tuple[Finding, ...]
    table: str | None = None
    network: NetworkSize | None = None
    estimate: Estimate | None = None
    dry_run: DryRun | None = None
    search: SearchSize | None = None

    def with_findings(self, findings: Sequence[Finding]) -> CheckResult:
        """The result with further findings, such as those of a drafted configuration."""
        return replace(self, findings=ordered([*self.findings, *findings]))

    @property
    def exit_code(self) -> int:
        """3 for errors of the configuration, else 4 for errors of the table, else 0."""
        return min((finding.exit_code for finding in self.findings if finding.exit_code), default=0)

    @property
    def as_json(self) -> dict[str, Any]:
        """The result as a JSON object."""
        return {
            "findings": [finding.as_json for finding in self.findings],
            "network": self.network.as_json if self.network else None,
            "estimate": asdict(self.estimate) if self.estimate else None,
            "dry_run": self.dry_run.as_json if self.dry_run else None,
            "search": asdict(self.search) if self.search else None,
        }


def check_with(config: Config | str | Path, options: CheckOptions) -> CheckResult:
    """Check a configuration, its table and its network. Nothing is written.

    `config` is a `Config`, a path, or `-` for standard input; or a table, with `target`. Errors are returned as
    findings, and the rest is still checked: without the columns that cannot be read, or only the table if the
    configuration is not valid. One member of an ensemble is tried.

    Raises:
        UsageError: an assignment is not of the form key=value, or the table's name has no known format.
        NncliError: there is no space for temporary files.
    """
    on_stage = options.on_stage
    with copied_table(config, options):
        given = resolve_input(config, options)
        if isinstance(given.config, Config):
            return _check(given.config, on_stage).with_findings(given.findings)
        usable, issues = load_partial(given.config, given.assignments, os.environ)
        if usable is None or issues:
            return _check_table_only(usable, issues, on_stage)
        search, mistakes = _search(given.config, given.assignments)
        result = replace(_check(usable, on_stage).with_findings(mistakes), search=search)
        findings = tuple(_with_line(given.config, given.assignments, finding) for finding in result.findings)
        return replace(result, findings=findings)


check = operation(CheckOptions)(check_with)


def _search(path: str | Path, assignments: Sequence[str]) -> tuple[SearchSize | None, tuple[Finding, ...]]:
    """The size of the search, and the mistakes of its space; not on standard input, which cannot be read again."""
    loaded = None if str(path) == "-" else load(path, assignments, os.environ)
    if loaded is None or loaded.tune is None:
        return None, ()
    from nncli.tuning.space.build_space import build_space

    try:
        space = build_space(loaded, loaded.tune)
    except ConfigError as error:
        return None, of_error(error)
    names = tuple(parameter.name for parameter in space.parameters)
    return SearchSize(names, space.size if names else None, loaded.tune.trials), ()


def _with_line(path: str | Path, assignments: Sequence[str], finding: Finding) -> Finding:
    """The finding with the line of the configuration, if it is about a key."""
    issue = ConfigIssue(finding.message, finding.location, finding.hint, finding.excerpt)
    issue = with_source_line(path, assignments, issue, os.environ)
    return replace(finding, location=issue.location, excerpt=issue.excerpt)


def _check(config: Config, on_stage: Callable[[str], None]) -> CheckResult:
    try:
        with table_copies(config):
            return _check_copies(config, on_stage)
    except DataError as error:  # a table cannot be copied
        return CheckResult(of_error(error), redacted(config.data.path))


def _check_copies(config: Config, on_stage: Callable[[str], None]) -> CheckResult:
    findings: list[Finding] = []
    if config.is_ensemble:
        try:
            check_members(config)
        except ConfigError as error:
            findings += of_error(error)
    with log_duration("checking the table"):
        report = check_table(config, on_stage)
    findings += report.findings
    result = CheckResult(ordered(findings), redacted(config.data.path))
    if not report.trainable:
        return result
    config = resolve_members(config, report.rows)
    member = config
    if config.is_ensemble:
        member = member_config(config, 0, Path(), Workers(config.workers).count(config.n_members))
    with Scratch() as scratch:
        return _with_network(result, config, _readable(member, report), scratch, on_stage)


def _check_table_only(
    config: Config | None, issues: Sequence[ConfigIssue], on_stage: Callable[[str], None]
) -> CheckResult:
    """The result for a configuration with issues; `config` is its valid part."""
    findings = of_error(ConfigError(*issues))
    if config is None:
        return CheckResult(findings)
    of_table = [finding for finding in check_table(config, on_stage).findings if finding.location.key is None]
    return CheckResult(ordered([*findings, *of_table]), redacted(config.data.path))


def _readable(config: Config, report: TableReport) -> Config:
    """The configuration without the columns that are unusable or empty."""
    excluded = {*report.unusable, *report.empty}
    data = config.data
    features = None if data.features is None else tuple(name for name in data.features if name not in excluded)
    columns = {name: kind for name, kind in data.columns.items() if name not in excluded}
    drop = (*data.drop, *sorted(excluded - set(data.drop)))
    readable = data.model_copy(update={"features": features, "drop": drop, "columns": columns})
    return config.model_copy(update={"data": readable})


def _with_network(
    result: CheckResult, config: Config, member: Config, scratch: Scratch, on_stage: Callable[[str], None]
) -> CheckResult:
    """The result with the network, the estimate and the dry run."""
    on_stage("encoding the rows")
    prepared, errors = _prepared(member, scratch)
    if prepared is None:
        return replace(result, findings=ordered([*result.findings, *errors]))
    execution, of_execution = choose_execution(prepared)
    network = NetworkSize.of(prepared)
    findings = [*result.findings, *prepared.findings, *([of_execution] if of_execution else [])]
    workers = Workers(config.workers).count(config.n_members)
    short = _memory_finding(network, workers)
    if short is not None:
        return replace(result, findings=ordered([*findings, short]), network=network)
    on_stage(f"trying a few steps of {prepared.spec.network.layout.size:,} parameters")
    with log_duration("trying a few steps"), execution.activate(prepared) as ready:
        for finding in ready.findings[len(prepared.findings) :]:
            on_stage(finding.line)
        trial, of_trial = dry_run(ready)
    findings += [of_trial] if of_trial else []
    estimate = _estimate(config, prepared, network, trial, workers)
    return replace(result, findings=ordered(findings), network=network, estimate=estimate, dry_run=trial)


def _prepared(config: Config, scratch: Scratch) -> tuple[PreparedTraining | None, list[Finding]]:
    """The prepared training, or the errors that prevent it; invalid keys are reset to find the errors behind them."""
    errors: list[Finding] = []
    for _ in range(MAX_ATTEMPTS):
        try:
            prepared = prepare(config, scratch)
            choose_execution(prepared)
        except ConfigError as error:
            errors += of_error(error)
            keys = {(issue.location.key or "").partition(".")[0] for issue in error.issues}
            if not keys <= Config.model_fields.keys() - {"data"}:
                return None, errors
            defaults = {key: () if key == "layers" else Config.model_fields[key].default for key in keys}
            config = config.model_copy(update=defaults)
        except DataError as error:
            return None, [*errors, *of_error(error)]
        else:
            return (None if errors else prepared), errors
    return None, errors


def _memory_finding(network: NetworkSize, workers: int) -> Finding | None:
    """A warning if the training needs more memory than is free."""
    free = free_memory()
    needed = _total_memory(network, workers)
    if needed <= free:
        return None
    message = f"the training needs about {format_bytes(needed)} of memory, and {format_bytes(int(free))} are free"
    hint = "Use a smaller network or batch_size, fewer workers for an ensemble, or close other programs."
    return Finding("warning", FindingCode.MEMORY, Location(), message, hint)


def _total_memory(network: NetworkSize, workers: int) -> int:
    """Bytes of all processes: with several workers, the main process reads the table and predicts too."""
    return network.memory_bytes * (workers + 1 if workers > 1 else 1)


def _estimate(
    config: Config, prepared: PreparedTraining, network: NetworkSize, trial: DryRun, workers: int
) -> Estimate:
    arguments = prepared.arguments
    steps = ceil(len(prepared.training) / arguments.batch_size)
    seconds = arguments.epochs * (steps * trial.seconds_per_step + trial.validation_seconds)
    return Estimate(
        memory_bytes=_total_memory(network, workers),
        seconds=seconds * ceil(config.n_members / workers),
        epochs=arguments.epochs,
        steps_per_epoch=steps,
        members=config.n_members,
        workers=workers,
        may_stop_early=arguments.patience is not None,
    )
