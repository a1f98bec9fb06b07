"""The options of `nncli tune`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from nncli.cli.completion import complete_key, complete_metric, complete_search
from nncli.cli.help import INPUT, OUTPUT, SEARCH, TRAINING


class SamplerChoice(StrEnum):
    """The samplers, which choose the values of trials."""

    TPE = "tpe"
    RANDOM = "random"
    GP = "gp"
    GRID = "grid"
    CMAES = "cmaes"


SearchedKeys: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--search",
        metavar="KEY=RANGE",
        help="Values that a key may take: learning_rate=1e-4..1e-1:log, l2=0..0.1, batch_size=32,64. Repeatable. "
        "It adds to tune.search, or replaces a key of it. Without that section only these keys are searched.",
        autocompletion=complete_key,
        rich_help_panel=SEARCH,
    ),
]
Trials: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--trials", metavar="N", min=1, help="Number of trials, besides the first. Default: 30.", rich_help_panel=SEARCH
    ),
]
Time: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--time",
        metavar="DURATION",
        help="Begin no trial after this time, for example 30m or 2h. Trials that have begun run to their end.",
        rich_help_panel=SEARCH,
    ),
]
FoldsOfTrial: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--folds",
        metavar="K|holdout",
        help="Number of folds that score each trial, or the validation rows. Default: 5.",
        rich_help_panel=SEARCH,
    ),
]
Metric: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--metric",
        metavar="METRIC",
        help="The metric that is optimized. Default: that of the configuration.",
        autocompletion=complete_metric,
        rich_help_panel=SEARCH,
    ),
]
Sampler: TypeAlias = Annotated[
    SamplerChoice | None,
    typer.Option("--sampler", help="How values are chosen: gp needs PyTorch. Default: tpe.", rich_help_panel=SEARCH),
]
Lag: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--lag",
        metavar="L",
        min=1,
        help="At most L trials at a time: trial t is proposed from trials 0 … t − L. Default: 4.",
        rich_help_panel=SEARCH,
    ),
]
NoPrune: TypeAlias = Annotated[
    bool, typer.Option("--no-prune", help="Train every trial on all folds.", rich_help_panel=SEARCH)
]
Workers: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        help="Trainings at a time. The result is the same. Default: the key workers.",
        rich_help_panel=TRAINING,
    ),
]
ResumedSearch: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        metavar="DIR",
        help="Resume a search that was stopped or killed, or go on with more --trials.",
        autocompletion=complete_search,
        rich_help_panel=INPUT,
    ),
]
NewSearch: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="DIR",
        help="The directory to create. Default: runs/NAME-tune.",
        rich_help_panel=OUTPUT,
    ),
]
TrainBest: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--train",
        help="Also train the best configuration, with all its members: into runs/NAME, with -o DIR into DIR-best.",
        rich_help_panel=OUTPUT,
    ),
]
EnsemblePicks: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--ensemble",
        metavar="N",
        min=1,
        help="Also write an ensemble of the networks of the best trials, in N picks, without further training: "
        "runs/NAME-ensemble, with -o DIR DIR-ensemble.",
        rich_help_panel=OUTPUT,
    ),
]
SearchEvents: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json", help="Print events as JSON lines: the start, each trial and the end.", rich_help_panel=OUTPUT
    ),
]
