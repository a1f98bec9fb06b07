"""`nncli train` on the command line: options, progress, the summary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from nncli.cli.signals import StoppedError, interrupt_at_once, stop_on_interrupt


def train(
    config: Annotated[str, typer.Argument(help="The YAML file, or - for the standard input.", metavar="CONFIG")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The run directory to make; default: runs/NAME.")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key, as in --set optimizer.type=adam. Repeatable."),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show nothing but errors.")] = False,
) -> None:
    """Train a network as CONFIG says and print the path of the run directory.

    Ctrl-C ends the training after the current batch and saves it; a second one stops at once.

    \b
    nncli train configs/penguins.yaml
    nncli train config.yaml --set layers=[128,64] --set learning_rate=0.01 -o runs/wide
    """
    import os
    import sys
    from contextlib import ExitStack

    from nncli.cli.console import LiveProgress, PlainProgress, announce_input, error_console, say, show_summary
    from nncli.commands.train import Finished, Started, train_events

    interrupt_at_once()
    if config == "-":
        announce_input("a configuration")
    console = error_console()
    progress: LiveProgress | PlainProgress | None = None
    started: Started | None = None
    finished: Finished | None = None
    interrupted: Callable[[], bool] | None = None
    events = train_events(
        config,
        output=output,
        assignments=assignments or [],
        command=sys.argv,
        stop=lambda: interrupted is not None and interrupted(),
    )
    with ExitStack() as stack:
        stack.callback(events.close)
        for event in events:
            if isinstance(event, Finished):
                finished = event
            elif isinstance(event, Started):
                started = event
                interrupted = stack.enter_context(stop_on_interrupt())
                if not quiet:
                    for note in event.notes:
                        say(f"note: {note}")
                    progress = LiveProgress(event, console) if console.is_terminal else PlainProgress(event)
                    stack.callback(progress.close)
            elif progress is not None:
                progress.update(event)
    if started is None or finished is None:
        raise AssertionError("train_events ends with Finished or an error")
    if not quiet:
        show_summary(started, finished, console)
    typer.echo(os.fsencode(finished.run))
    if finished.status == "stopped":
        raise StoppedError(
            f"stopped after epoch {finished.epochs}; the best weights so far are saved",
            hint=f"They predict: nncli predict {finished.run} TABLE\n"
            f"  To train again from the start: nncli train {finished.run}/config.yaml",
        )
    if not quiet:
        say(f"next: nncli predict {finished.run} NEW_TABLE")
