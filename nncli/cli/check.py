"""`nncli check` on the command line."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.cli.address_limit import settle_within_limit
from nncli.cli.completion import complete_config
from nncli.cli.options import AsJson, Assignments, NoColor, QualityOfPreset, Quiet, TargetOfTable, Verbose

if TYPE_CHECKING:
    from nncli.checks.findings import Finding
    from nncli.commands.check import Check


def check(
    config: Annotated[
        str,
        typer.Argument(
            help="The YAML file, or - for the standard input; or a table, with --target.",
            metavar="CONFIG",
            autocompletion=complete_config,
        ),
    ],
    target: TargetOfTable = None,
    quality: QualityOfPreset = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """Look at CONFIG, its table and its network before training, and try a few steps. Nothing is written.

    Errors keep a training from beginning, and end this with 3 (configuration) or 4 (table). Warnings are likely to
    spoil what comes of it, and notes are good to know. Each says how to mend it.

    \b
    nncli check config.yaml
    nncli check data/penguins.csv --target species
    nncli check config.yaml --set layers=[64,64] --set batch_size=256
    nncli check config.yaml --json | jq -r '.findings[] | .level + " " + .code'
    nncli check config.yaml -q && nncli train config.yaml
    """
    settle_within_limit()
    import json
    import shlex

    from nncli.cli.console import echo_err
    from nncli.cli.signals import interrupt_at_once
    from nncli.cli.training_input import resolve_input
    from nncli.commands.check import check as look

    interrupt_at_once()
    wanted = resolve_input(config, target, assignments, quality, quiet=quiet)
    found = look(
        wanted.config, assignments=wanted.assignments, tell=lambda line: None if quiet else echo_err(f"{line} …")
    )
    found = found.warning(wanted.doubts)
    if as_json:
        typer.echo(json.dumps(found.as_json, ensure_ascii=False).encode())
    else:
        typer.echo(_text(config, found).encode())
    if not quiet:
        words = shlex.join(wanted.words)
        errors = [finding for finding in found.findings if finding.level == "error"]
        first = f"mend the error{'' if len(errors) == 1 else 's'}, then nncli check" if errors else "nncli train"
        echo_err(f"next: {first} {words}")
    raise typer.Exit(found.exit_code)


def _text(config: str, found: Check) -> str:
    """All that was found, for a person to read."""
    from nncli.text import escape_unprintable

    heading = ": ".join(filter(None, [config, counted(found.findings)]))
    blocks = [f"{heading}\ntable: {found.table}" if found.table else heading]
    blocks += [str(near(finding, found.table)) for finding in found.findings]
    return "\n\n".join([*map(escape_unprintable, blocks), *_network(found)])


def counted(findings: tuple[Finding, ...]) -> str:
    """`1 error, 2 warnings`, or that there is nothing."""
    from nncli.checks.findings import LEVELS

    counts = [(level, sum(finding.level == level for finding in findings)) for level in LEVELS]
    return ", ".join(f"{n:,} {level}{'' if n == 1 else 's'}" for level, n in counts if n) or "nothing to mend"


def near(finding: Finding, table: str | None) -> Finding:
    """The finding without the name of the `table`, which all of them would repeat."""
    from dataclasses import replace

    place = finding.place
    return replace(finding, place=replace(place, source=None)) if place.source == table else finding


def _network(found: Check) -> list[str]:
    """The layers, what the training is estimated to take, and what came of the trial, as far as these are known."""
    from nncli.checks.column import have
    from nncli.cli.console import number, rows
    from nncli.cli.tables import prose, table
    from nncli.text import escape_unprintable
    from nncli.utils.logs import format_duration
    from nncli.utils.memory import format_bytes

    network, estimate, trial = found.network, found.estimate, found.trial
    blocks = []
    if network is not None:
        lines = [
            [layer.name, layer.type, f"({network.batch:,}, {layer.units:,})", f"{layer.parameters:,}"]
            for layer in network.layers
        ]
        total = ["total", "", "", f"{network.parameters:,}"]
        sizes = (
            f"parameters {format_bytes(network.parameter_bytes)}, optimizer {format_bytes(network.optimizer_bytes)}, "
            f"activations of a batch {format_bytes(network.activation_bytes)}"
        )
        blocks.append(
            escape_unprintable(f"{table([['layer', 'type', 'output', 'parameters'], *lines, total])}\n{prose(sizes)}")
        )
    if estimate is not None and trial is not None:
        together = f", {estimate.members:,} members, {estimate.workers:,} at a time" if estimate.members > 1 else ""
        bound = "; less if it stops early" if estimate.may_stop_early else ""
        after = number(trial.loss_after) if isfinite(trial.loss_after) else "no finite number any more"
        told = (
            f"estimate: {format_duration(estimate.seconds)} and {format_bytes(estimate.memory_bytes)} of memory "
            f"({have(estimate.epochs, 'epoch', 'epochs')} of {have(estimate.steps_an_epoch, 'step', 'steps')} of "
            f"{1e3 * trial.seconds_a_step:.3g} ms{together}{bound})",
            f"trial: the loss on {rows(trial.rows)} was {number(trial.loss_before)}, and {after} "
            f"after {have(trial.steps, 'step', 'steps')} at the rate {trial.rate:.3g}",
        )
        blocks.append("\n".join(map(prose, told)))
    return blocks
