"""`nncli config` on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from nncli.cli.options import Assignments, NoColor

config = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Look at configurations.")


@config.callback()
def root() -> None:
    """Look at configurations."""


@config.command("schema")
def schema(no_color: NoColor = False) -> None:
    """Print the JSON Schema of a configuration, by which editors and other tools know what may be written.

    An editor with the YAML language server completes and checks a file in which a comment names the schema.

    \b
    nncli config schema > config.schema.json
    echo '# yaml-language-server: $schema=config.schema.json' >> config.yaml
    """
    from nncli.config.shipped import SCHEMA

    typer.echo(SCHEMA.read_bytes(), nl=False)


@config.command("show")
def show(
    path: Annotated[str, typer.Argument(help="The YAML file, or - for the standard input.", metavar="CONFIG")],
    assignments: Assignments = None,
    no_color: NoColor = False,
) -> None:
    """Print CONFIG with its preset and every default written out: the same training, in words that can be edited.

    What is `auto` or null is settled by the table; the config.yaml of a run directory says how.

    \b
    nncli config show config.yaml
    nncli config show config.yaml --set quality=fast > plain.yaml
    """
    from nncli.cli.console import announce_input
    from nncli.cli.signals import interrupt_at_once
    from nncli.config.loading import load_config
    from nncli.config.writing import dump

    interrupt_at_once()
    if path == "-":
        announce_input("a configuration")
    found = load_config(path, assignments or [])
    typer.echo(dump(found.model_dump(mode="json", exclude={"preset", "quality"})).encode(), nl=False)
