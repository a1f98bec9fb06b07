"""`nncli check` on the command line."""

from __future__ import annotations

import shlex
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING

import typer

from nncli.api.options import CheckOptions
from nncli.base.credentials import redacted
from nncli.base.errors import in_terminal
from nncli.base.findings import LEVELS
from nncli.base.logs import format_duration
from nncli.base.memory import format_bytes
from nncli.base.text import escape_unprintable
from nncli.cli.console import format_number, interrupt_at_once, rows
from nncli.cli.shared_arguments import RequiredConfigOrTable, ResultOptions, announce_config
from nncli.cli.tables import prose, table

if TYPE_CHECKING:
    from nncli.api.check import CheckResult, Estimate, SearchSize
    from nncli.base.findings import Finding
    from nncli.fitting.dry_run import DryRun, NetworkSize

COMMANDS = ("nncli train", "nncli tune")
"""What follows the check of a configuration without and with a section `tune`."""


def check(
    *,
    config: RequiredConfigOrTable,
    given: CheckOptions,
    display: ResultOptions,
) -> None:
    """A few training steps are tried; nothing is written. Errors prevent a training: exit code 3 (configuration) or 4
    (data). Warnings are likely to harm the result; notes are good to know. Each finding has a hint. The files of the
    key `code` are executed.

    \b
    nncli check config.yaml
    nncli check data/penguins.csv --target species
    nncli check config.yaml --set layers=[64,64] --set batch_size=256
    nncli check config.yaml --json | jq -r '.findings[] | .level + " " + .code'
    nncli check config.yaml -q && nncli train config.yaml
    """
    from nncli.api.check import check_with

    interrupt_at_once()
    announce_config(config, display)
    options = replace(given, on_stage=lambda line: display.say(f"{line} …"), on_draft=display.note_draft)
    result = check_with(config, options)
    display.show(lambda: result.as_json, lambda: _text(config, result))
    errors = sum(finding.level == "error" for finding in result.findings)
    fix = f"fix the error{'' if errors == 1 else 's'}, then nncli check"
    command = fix if errors else COMMANDS[result.search is not None]
    display.next(f"{command} {shlex.join(given.arguments(config))}")
    raise typer.Exit(result.exit_code)


def _text(config: str, result: CheckResult) -> str:
    """The findings, the network and the estimate as text."""
    heading = ": ".join(filter(None, [redacted(config), counted(result.findings)]))
    blocks = [f"{heading}\ntable: {result.table}" if result.table else heading]
    blocks += [without_table(finding, result.table).on(in_terminal) for finding in result.findings]
    search = [] if result.search is None else [escape_unprintable(_search(result.search))]
    return "\n\n".join([*map(escape_unprintable, blocks), *_network(result), *search])


def _search(search: SearchSize) -> str:
    """The numbers of parameters, combinations and trials of a search."""
    from nncli.fitting.checks.column import count

    parameters = count(len(search.parameters), "parameter", "parameters")
    if search.combinations is not None:
        parameters += f", {count(search.combinations, 'combination', 'combinations')} of values at most"
    searched = parameters if search.parameters else "the search space for the preset"
    return prose(f"search: {searched}, {count(search.trials, 'trial', 'trials')} besides trial 0")


def counted(findings: tuple[Finding, ...]) -> str:
    """The number of findings by level, for example `1 error, 2 warnings`."""
    counts = [(level, sum(finding.level == level for finding in findings)) for level in LEVELS]
    return ", ".join(f"{n:,} {level}{'' if n == 1 else 's'}" for level, n in counts if n) or "no findings"


def without_table(finding: Finding, table: str | None) -> Finding:
    """The finding with a location inside the `table` rather than with the table's name."""
    location = finding.location
    return replace(finding, location=replace(location, source=None)) if location.source == table else finding


def _network(result: CheckResult) -> list[str]:
    """The layers, the estimated time and memory, and the dry run, as far as they are known."""
    blocks = []
    if result.network is not None:
        blocks.append(_layers(result.network))
    if result.estimate is not None and result.dry_run is not None:
        blocks.append(_estimate(result.estimate, result.dry_run))
    return blocks


def _layers(network: NetworkSize) -> str:
    """A table of the layers and the memory of the network."""
    lines = [
        [layer.name, layer.type, f"({network.batch_size:,}, {layer.units:,})", f"{layer.parameters:,}"]
        for layer in network.layers
    ]
    total = ["total", "", "", f"{network.parameters:,}"]
    memory = (
        f"memory: parameters {format_bytes(network.parameter_bytes)}, optimizer "
        f"{format_bytes(network.optimizer_bytes)}, activations of a batch {format_bytes(network.activation_bytes)}"
    )
    return escape_unprintable(f"{table([['layer', 'type', 'output', 'parameters'], *lines, total])}\n{prose(memory)}")


def _estimate(estimate: Estimate, trial: DryRun) -> str:
    """The estimated duration and memory of a training, and the loss before and after the dry run."""
    from nncli.fitting.checks.column import count

    members = f", {estimate.members:,} networks, {estimate.workers:,} in parallel" if estimate.members > 1 else ""
    bound = "; less with early stopping" if estimate.may_stop_early else ""
    after = format_number(trial.loss_after) if isfinite(trial.loss_after) else "not finite"
    lines = (
        f"estimate: {format_duration(estimate.seconds)}, {format_bytes(estimate.memory_bytes)} of memory "
        f"({count(estimate.epochs, 'epoch', 'epochs')} of {count(estimate.steps_per_epoch, 'step', 'steps')} of "
        f"{1e3 * trial.seconds_per_step:.3g} ms{members}{bound})",
        f"dry run: on {rows(trial.rows)} the loss went from {format_number(trial.loss_before)} to {after} "
        f"in {count(trial.steps, 'step', 'steps')} at learning rate {trial.learning_rate:.3g}",
    )
    return "\n".join(map(prose, lines))
