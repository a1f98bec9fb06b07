"""`nncli show` on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote
from typing import TYPE_CHECKING

import typer

from nncli.cli.options import AsJson, DisplayOptions, RunDirectory

if TYPE_CHECKING:
    from nncli.analysis.evaluation.cross_validation_summary import CrossValidationSummary
    from nncli.api.show import RunDescription
    from nncli.tuning.result.summary import SearchSummary

MAX_TRIALS = 5
"""Trials of a search that are shown, the best ones."""


def show(
    *,
    run: RunDirectory,
    as_json: AsJson = False,
    display: DisplayOptions,
) -> None:
    """\b
    nncli show runs/penguins
    nncli show runs/penguins --json | jq .columns
    """
    import json

    from nncli.analysis.evaluation.cross_validation_summary import CrossValidationSummary
    from nncli.api.show import describe as describe_run
    from nncli.cli.console import echo_err, interrupt_at_once
    from nncli.tuning.result.summary import SearchSummary

    interrupt_at_once()
    description = describe_run(run)
    if isinstance(description, SearchSummary):
        _show_search(description, as_json=as_json, quiet=display.quiet)
        return
    if isinstance(description, CrossValidationSummary):
        _show_cross_validation(description, as_json=as_json, quiet=display.quiet)
        return
    if as_json:
        typer.echo(json.dumps(description.json(), ensure_ascii=False).encode("utf-8", "surrogateescape"))
    else:
        typer.echo("\n\n".join(_sections(description)))
    if not display.quiet:
        for command in description.next_steps:
            echo_err(f"next: {command}")


def _print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print the facts that are known, one a line."""
    from nncli.base.text import escape_unprintable
    from nncli.cli.tables import hanging

    pairs = [pair for pair in facts if pair[1]]
    width = max(len(name) for name, _ in pairs)
    typer.echo("\n".join(hanging(f"{name:<{width}}  ", escape_unprintable(value, keep="")) for name, value in pairs))


def _show_cross_validation(summary: CrossValidationSummary, *, as_json: bool, quiet: bool) -> None:
    """Print the facts and the scores of a cross-validation."""
    import json

    from nncli.base.text import escape_unprintable
    from nncli.cli.console import echo_err, format_number
    from nncli.cli.tables import table

    if as_json:
        typer.echo(json.dumps(summary.json(), ensure_ascii=False).encode("utf-8", "surrogateescape"))
    else:
        _print_facts(summary.facts())
        if summary.is_done:
            columns = (summary.mean, summary.standard_deviation, summary.out_of_fold)
            lines = [
                [escape_unprintable(name, keep=""), *(format_number(scores.get(name)) for scores in columns)]
                for name in summary.out_of_fold
            ]
            typer.echo(f"\n{table([['', 'mean of folds', 'std', 'out-of-fold'], *lines])}")
    if not quiet:
        command = f"nncli report {quote(str(summary.path))}" if summary.is_done else summary.resume
        echo_err(f"next: {command}")


def _show_search(summary: SearchSummary, *, as_json: bool, quiet: bool) -> None:
    """Print the facts of a search and its best trials."""
    import json

    from nncli.base.text import escape_unprintable
    from nncli.cli.console import echo_err, format_number
    from nncli.cli.tables import table

    if as_json:
        typer.echo(json.dumps(summary.json(), ensure_ascii=False).encode("utf-8", "surrogateescape"))
    else:
        _print_facts(summary.facts())
        if ranked := summary.ranked[:MAX_TRIALS]:
            names = [parameter.name for parameter in summary.space.parameters]
            lines = [
                [
                    str(trial.number),
                    format_number(trial.score),
                    *(summary.labels(trial).get(name, "–") for name in names),
                ]
                for trial in ranked
            ]
            typer.echo(escape_unprintable(f"\n{table([['trial', summary.metric, *names], *lines])}"))
    if not quiet:
        done = f"nncli report {quote(str(summary.path))}", summary.train_command
        for command in done if summary.is_done else (summary.resume_command,):
            echo_err(f"next: {command}")


def _sections(description: RunDescription) -> list[str]:
    """The facts, the layers and the scores."""
    from nncli.base.text import escape_unprintable
    from nncli.cli.tables import table

    sections = [_facts(description)]
    if description.layers:
        lines = [[layer.name, layer.type, f"{layer.units:,}", f"{layer.parameters:,}"] for layer in description.layers]
        total = ["total", "", "", f"{sum(layer.parameters for layer in description.layers):,}"]
        sections.append(escape_unprintable(table([["layer", "type", "units", "parameters"], *lines, total])))
    warnings = "\n".join(f"{finding.level}: {finding.line}" for finding in description.findings)
    return [*sections, *_scores(description), *([escape_unprintable(warnings)] if warnings else [])]


def _facts(description: RunDescription) -> str:
    """One line for each fact, with the facts aligned."""
    from nncli.base.text import escape_unprintable
    from nncli.cli.tables import hanging

    pairs = [pair for pair in description.facts() if pair[1]]
    width = max(len(name) for name, _ in pairs)
    return "\n".join(hanging(f"{name:<{width}}  ", escape_unprintable(value, keep="")) for name, value in pairs)


def _scores(description: RunDescription) -> list[str]:
    """A table of the recorded scores beside those of the baseline."""
    from nncli.base.text import escape_unprintable
    from nncli.cli.console import format_number
    from nncli.cli.tables import table
    from nncli.targets.metrics.registry import has_baseline

    if not description.scores:
        return []
    sets = list(dict.fromkeys(score.rows for score in description.scores))
    names = list(dict.fromkeys((score.metric, score.target) for score in description.scores))
    values = {(score.rows, score.metric, score.target): score for score in description.scores}
    titles = {"training": "training", "validation": description.held_out_kind}
    lines = [["", *(title for name in sets for title in (titles[name], "baseline"))]]
    for metric, target in names:
        line = [escape_unprintable(metric if target is None else f"{metric}, {target}", keep="")]
        for name in sets:
            score = values[name, metric, target]
            baseline = score.baseline if has_baseline(metric) else None
            line += [format_number(score.value), format_number(baseline)]
        lines.append(line)
    return [table(lines)]
