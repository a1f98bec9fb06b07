"""`nncli config` on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from nncli.cli.completion import complete_config
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
    from nncli.config.schema_file import SCHEMA

    typer.echo(SCHEMA.read_bytes(), nl=False)


@config.command("show")
def show(
    path: Annotated[
        str,
        typer.Argument(
            help="The YAML file, or - for the standard input.", metavar="CONFIG", autocompletion=complete_config
        ),
    ],
    assignments: Assignments = None,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Read the table, and settle what it decides: auto, null, the columns.")
    ] = False,
    no_color: NoColor = False,
) -> None:
    """Print CONFIG with its preset and every default written out: the same training, in words that can be edited.

    A comment behind each value says where it comes from: a default, the preset, the file and its line, the environment
    (NNCLI_EPOCHS, NNCLI_DATA__TARGET, …) or --set, each of which stands above the one before. With --resolved an
    ensemble is shown as its first member has it.

    \b
    nncli config show config.yaml
    nncli config show config.yaml --resolved
    nncli config show config.yaml --set quality=fast > plain.yaml
    NNCLI_EPOCHS=10 nncli config show config.yaml
    """
    import os

    from nncli.cli.console import announce_input
    from nncli.cli.signals import interrupt_at_once
    from nncli.cli.training_input import note_ignored_variables

    interrupt_at_once()
    if path == "-":
        announce_input("a configuration")
    from nncli.commands import config_show as command

    note_ignored_variables()
    text = command.show(path, assignments=assignments or [], environment=os.environ, resolved=resolved)
    typer.echo(text.encode(), nl=False)
