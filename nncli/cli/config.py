"""`nncli config` on the command line."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from nncli.api.options import ConfigShowOptions
from nncli.cli.completion import GroupedHelpCommand, complete_config
from nncli.cli.console import interrupt_at_once
from nncli.cli.parameters import with_options
from nncli.cli.shared_arguments import ColorOptions, DisplayOptions, announce_config

config = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)


@config.command("schema", cls=GroupedHelpCommand)
@with_options
def schema(color: ColorOptions) -> None:
    """Print the JSON Schema of a configuration.

    With --code it has the classes of the file. Editors with the YAML language server complete and check a file whose
    first comment names the schema.

    \b
    nncli config schema > config.schema.json
    echo '# yaml-language-server: $schema=config.schema.json' >> config.yaml
    """
    from nncli.base.plugins import plugins
    from nncli.config.schema_file import SCHEMA

    if plugins():
        from nncli.config.json_schema import json_schema

        typer.echo(json_schema(), nl=False)
    else:
        typer.echo(SCHEMA.read_bytes(), nl=False)


@config.command("show", cls=GroupedHelpCommand)
@with_options
def show(
    *,
    path: Annotated[
        str,
        typer.Argument(help="A YAML file, or - for standard input.", metavar="CONFIG", autocompletion=complete_config),
    ],
    options: ConfigShowOptions,
    color: ColorOptions,
) -> None:
    """Print a configuration with every default written out.

    A comment behind each value names its source: default, preset, file and line, environment (NNCLI_EPOCHS,
    NNCLI_DATA__TARGET, …) or --set; later sources override earlier ones. With --resolved, an ensemble is shown as its
    first network. The files of the key `code` are executed.

    \b
    nncli config show config.yaml
    nncli config show config.yaml --resolved
    nncli config show config.yaml --quality fast > plain.yaml
    NNCLI_EPOCHS=10 nncli config show config.yaml
    """
    interrupt_at_once()
    announce_config(path, DisplayOptions())
    from nncli.api import config_show as command

    sets = [*options.set, *([] if options.quality is None else [f"quality={options.quality}"])]
    text = command.show(path, assignments=sets, environment=os.environ, resolved=options.resolved)
    typer.echo(text.encode(), nl=False)
