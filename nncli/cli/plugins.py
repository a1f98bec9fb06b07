"""`nncli plugins` on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from nncli.base.option import OUTPUT, Option, Options
from nncli.base.plugins import Command as CommandPart
from nncli.cli.app import COMMANDS
from nncli.cli.completion import GroupedHelpCommand
from nncli.cli.console import interrupt_at_once, print_path
from nncli.cli.parameters import with_options
from nncli.cli.shared_arguments import ColorOptions, ResultOptions
from nncli.cli.tables import table

CommandPart.built_in = frozenset(COMMANDS) | {name.replace("_", "-") for name in COMMANDS}
plugins = typer.Typer(rich_markup_mode=None, add_completion=False)


@plugins.callback(invoke_without_command=True)
@with_options
def listed(context: typer.Context, display: ResultOptions) -> None:
    """Parts are losses, metrics, layers, column kinds, commands and others. Without a command they are listed.

    The state is ready, off (by the variable NNCLI_PLUGINS, which names the packages that may add parts), or why a part
    cannot be used. With --code, the parts of files are listed too.

    \b
    nncli plugins
    nncli plugins --code focal.py --json
    nncli plugins new loss focal
    nncli plugins check focal
    """
    if context.invoked_subcommand is not None:
        return
    from nncli.api.plugins import plugins as list_plugins

    interrupt_at_once()
    infos = list_plugins()
    rows = [[info.name, info.kind, info.package, info.version, info.state] for info in infos]
    display.show(
        lambda: {"plugins": [info.json() for info in infos]},
        lambda: table([["name", "kind", "package", "version", "state"], *rows]),
    )


@plugins.command("check", cls=GroupedHelpCommand)
@with_options
def check(
    *,
    plugin: Annotated[str, typer.Argument(help="The name of a part, or a Python file.", metavar="NAME|FILE")],
    display: ResultOptions,
) -> None:
    """Check the parts of a name or of a file as the tests of nncli check its own.

    The gradient against differences, in both precisions; that a step allocates nothing; the same bits after a resumed
    training and in any batch; that it is the same after YAML and JSON; and that an exported file predicts the same.
    The exit code is 1 if a part fails. The file is executed.

    \b
    nncli plugins check focal.py
    nncli plugins check focal --json
    """
    from nncli.api.plugin_check import check_plugin

    interrupt_at_once()
    checks = check_plugin(plugin)
    words = {True: "passed", False: "failed", None: "left out"}
    rows = [
        f"{checked.plugin.name}: {step.name}: {words[step.passed]}{f' ({step.detail})' if step.detail else ''}"
        for checked in checks
        for step in checked.steps
    ]
    display.show(lambda: {"checks": [checked.json() for checked in checks]}, lambda: "\n".join(rows))
    if not all(checked.passed for checked in checks):
        raise typer.Exit(1)


@dataclass(frozen=True, kw_only=True)
class NewOptions(Options):
    """Where the package is written to."""

    output: Annotated[
        Path | None, Option("The folder to create. Default: nncli-NAME.", OUTPUT, short="-o", metavar="DIR")
    ] = None


@plugins.command("new", cls=GroupedHelpCommand)
@with_options
def new(
    *,
    kind: Annotated[str, typer.Argument(help="Such as loss, metric, layer, encoder, command.", metavar="KIND")],
    name: Annotated[str, typer.Argument(help="The name, such as log_cosh.", metavar="NAME")],
    options: NewOptions,
    color: ColorOptions,
) -> None:
    """Write a package with one part, its test, and how to install it. It passes `nncli plugins check`.

    \b
    nncli plugins new loss log_cosh
    nncli plugins check nncli-log-cosh/nncli_log_cosh.py
    """
    from nncli.api.plugins import new_plugin

    print_path(new_plugin(kind, name, options.output))
