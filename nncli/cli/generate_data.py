"""`nncli generate-data` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nncli.base.option import INPUT
from nncli.cli.options import ColorOptions, Force, OutputFile


def generate_data(
    *,
    name: Annotated[
        str,
        typer.Argument(help="linear, sine, friedman1, xor, moons, circles, spirals or blobs.", metavar="NAME"),
    ] = "linear",
    rows: Annotated[
        int, typer.Option("-n", "--rows", metavar="N", help="Number of rows.", rich_help_panel=INPUT)
    ] = 100,
    noise: Annotated[
        float | None,
        typer.Option("--noise", metavar="X", help="Amount of noise. Default: depends on NAME.", rich_help_panel=INPUT),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Seed of the random numbers.", rich_help_panel=INPUT)
    ] = 0,
    output: OutputFile = "-",
    force: Force = False,
    color: ColorOptions,
) -> None:
    """linear, the default: x1 and x2 are uniform on (0, 1), y = 0.5 x1 + 0.5 x2 + noise, noise uniform on (0, 1).

    \b
    nncli generate-data -n 1000 -o linear.csv
    nncli generate-data spirals --seed 1 | head
    """
    from nncli.api.generate_data import generate_data as generate

    generate(name, rows=rows, noise=noise, seed=seed, path=None if output == "-" else Path(output), force=force)
