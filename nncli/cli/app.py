"""The `nncli` command, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from nncli.cli.check import check
from nncli.cli.compare import compare
from nncli.cli.completion import join_words
from nncli.cli.config import config
from nncli.cli.cross_validate import cross_validate
from nncli.cli.evaluate import evaluate
from nncli.cli.explain import explain
from nncli.cli.generate_data import generate_data
from nncli.cli.init import init
from nncli.cli.predict import predict
from nncli.cli.report import report
from nncli.cli.runs import runs
from nncli.cli.signals import SecondSignalError, StoppedError
from nncli.cli.train import train
from nncli.errors import NncliError, is_out_of_memory
from nncli.version import __version__

FIRST_SEARCH = 200_000
"""Objects that come to be before Python first looks for garbage among them: twice as many as a training imports."""
PREFIX_OF_PYDANTIC = "Value error, "
"""What it puts before the reason, and Typer passes on."""
INTERRUPTED = 128 + 2
BROKEN_PIPE = 128 + 13
SHORT_OF_MEMORY = (
    "there is not enough memory, or no further thread may be started\n"
    "  Use fewer rows or columns or a smaller network, or raise the limit (`ulimit -v`, `ulimit -u`, or the job's)."
)

EPILOG = (
    "Exit codes: 0 done; 1 failed; 2 wrong usage; 3 wrong configuration; 4 wrong data; 5 wrong run directory; "
    "128 + n stopped by signal n, so 130 for Ctrl-C."
)

# Without Rich's markup the help is plain text, and appears in half the time.
app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, pretty_exceptions_enable=False)
app.command("init")(init)
app.command("check")(check)
app.command("train")(train)
app.command("predict")(predict)
app.command("evaluate")(evaluate)
app.command("explain")(explain)
app.command("report")(report)
app.command("runs")(runs)
app.command("compare")(compare)
app.command("cross-validate")(cross_validate)
app.command("generate-data")(generate_data)
app.add_typer(config, name="config")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nncli {__version__}")
        raise typer.Exit


@app.callback(epilog=EPILOG)
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Train a neural network on a table: a table or a YAML file in, a run directory that predicts out.

    \b
    nncli train table.csv --target COLUMN          train on a table, told nothing but what to predict
    nncli init table.csv --target COLUMN           the same as a YAML file that says what was found and may be edited
    nncli generate-data -o linear.csv              a table to try things on
    nncli check config.yaml                        what there is to mend before training
    RUN=$(nncli train config.yaml)                 train; the run directory's path is printed
    nncli predict "$RUN" new.csv -o answers.csv    predict
    nncli evaluate "$RUN" labelled.csv             score
    nncli explain "$RUN"                           feature importance
    nncli report "$RUN"                            what it learned, as a page to read
    nncli runs                                     all runs, and how each ended
    nncli compare runs/first runs/second           in what they differ, and which is better
    nncli cross-validate config.yaml               how good such a training is, fold by fold
    """
    if debug:
        os.environ["NNCLI_DEBUG"] = "1"


def main() -> None:
    """Run the command line and end the process."""
    # What is imported lives until the end: searching it again and again, and once more on the way out, finds nothing.
    gc.set_threshold(FIRST_SEARCH)
    atexit.register(gc.freeze)
    with Path(os.devnull).open("w") as nowhere:
        # A closed stream is no reason to stop, but print() would then send messages where the data goes.
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks a character shows its number
                stream.reconfigure(errors="backslashreplace")
        if os.environ.get("_NNCLI_COMPLETE") == "complete_bash":
            join_words(os.environ)
        _run()


def _run() -> None:
    """Turn whatever is raised into one message and an exit code."""
    try:
        code = app(prog_name="nncli", standalone_mode=False)
    except StoppedError as error:
        _fail(error, str(error), error.code)
    except NncliError as error:
        _fail(error, str(error), error.exit_code)
    except SecondSignalError as error:
        _fail(error, "stopped at once; what was saved before is there", 128 + error.number)
    except (typer.Abort, KeyboardInterrupt) as error:
        _fail(error, "interrupted", INTERRUPTED)
    except SystemExit as error:
        # Typer and Rich leave when whoever reads our output has had enough: not a failure, nor done.
        sys.exit(BROKEN_PIPE if isinstance(error.__context__, BrokenPipeError) else error.code)
    except OSError as error:
        if is_out_of_memory(error):
            _fail(error, SHORT_OF_MEMORY, 1)
        where = f"{error.filename}: " if error.filename else ""
        _fail(error, f"{where}{error.strerror or error}\n  The system gave this reason.", 1)
    except BaseException as error:  # also a panic of Polars's, which is no Exception
        if is_out_of_memory(error):
            _fail(error, SHORT_OF_MEMORY, 1)
        if hasattr(error, "format_message"):  # a usage error of Typer's
            _fail_usage(error)
        _fail(
            error,
            f"something that should not happen: {type(error).__name__}: {error}\n"
            "  This is a fault in nncli. `nncli --debug …` shows where; please report it.",
            1,
        )
    if code == INTERRUPTED:  # Typer has met the KeyboardInterrupt
        _fail(KeyboardInterrupt(), "interrupted", code)
    sys.exit(code if isinstance(code, int) else 0)


def _fail_usage(error: Any) -> NoReturn:
    """Word a usage error of Typer's as all others are; a command without arguments is told its help instead."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        sys.exit(error.exit_code)
    message = error.format_message().replace(PREFIX_OF_PYDANTIC, "").rstrip(".")
    command = error.ctx.command_path if error.ctx else "nncli"
    _fail(error, f"{message[:1].lower()}{message[1:]}\n  See `{command} --help`.", error.exit_code)


def _fail(error: BaseException, message: str, code: int) -> NoReturn:
    from nncli.text import escape_unprintable

    if os.environ.get("NNCLI_DEBUG"):
        traceback.print_exception(error)
    print(f"nncli: {escape_unprintable(message)}", file=sys.stderr)  # noqa: T201 - this is where errors are shown
    sys.exit(code)
