"""`nncli generate-data` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nncli.cli.address_limit import settle_within_limit
from nncli.cli.options import Force, NoColor


def generate_data(
    name: Annotated[
        str,
        typer.Argument(help="linear, sine, friedman1, xor, moons, circles, spirals or blobs.", metavar="NAME"),
    ] = "linear",
    rows: Annotated[int, typer.Option("-n", "--rows", help="How many rows.")] = 100,
    noise: Annotated[
        float | None, typer.Option("--noise", help="How much noise; each set has a default of its own.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same table.")] = 0,
    output: Annotated[str, typer.Option("-o", "--output", help="The file to write, or - for stdout.")] = "-",
    force: Force = False,
    no_color: NoColor = False,
) -> None:
    """Write a synthetic table.

    linear, the default: x1 and x2 are uniform on (0, 1), y = 0.5 x1 + 0.5 x2 + noise, noise uniform on (0, 1).

    \b
    nncli generate-data -n 1000 -o linear.csv
    nncli generate-data spirals --seed 1 | head
    """
    settle_within_limit()
    from nncli.commands.generate_data import generate_data as generate

    generate(name, rows=rows, noise=noise, seed=seed, path=None if output == "-" else Path(output), force=force)
