"""The `nncli` command and its error handling: every error becomes one message and an exit code."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from inspect import getdoc
from pathlib import Path
from typing import Annotated, Any, NoReturn, TextIO

import typer
from typer.core import TyperGroup

from nncli.base.credentials import argument_without_credentials, redacted
from nncli.base.errors import NncliError, in_terminal, is_out_of_memory
from nncli.base.logs import hide_numeric_warnings
from nncli.base.text import closest_match
from nncli.cli.completion import GroupedHelpCommand, join_words
from nncli.cli.console import SecondSignalError, StoppedError, prepare_standard_streams
from nncli.cli.parameters import with_options
from nncli.version import __version__

EVERYDAY = {
    "head": "Show the columns of a table, their kinds and its first rows.",
    "init": "Write a commented configuration for a table.",
    "check": "Check a configuration, its table and its network.",
    "train": "Train a network and print the path of its run directory.",
    "tune": "Search for better hyperparameters.",
    "predict": "Predict the rows of a table, or many files, with a run.",
    "evaluate": "Score a trained run on a labeled table.",
    "explain": "Show feature importance and partial dependence of a run.",
    "report": "Write an HTML report and a model card of a run.",
    "compare": "Compare runs: settings, scores and significance tests.",
    "export": "Write a run as one file for another program.",
    "serve": "Predict over HTTP.",
}
MORE = {
    "runs": "List runs with their status and validation score.",
    "show": "Show the data, network and scores of a run.",
    "diagnose": "Say what went wrong in the training of a run, and what helps.",
    "cross_validate": "Estimate scores on new rows by k-fold cross-validation.",
    "threshold": "Choose from which probability on a class is predicted.",
    "drift": "Compare new rows with the training rows of a run.",
    "distill": "Train one small network on the predictions of a run.",
    "reproduce": "Train a run again, and say whether the result is the same.",
    "share": "Write a copy of a run that gives away no rows, rare categories, paths and names.",
    "track": "Write the metrics of finished runs to TensorBoard or MLflow.",
    "trace": "Print one training step of a small network with all its numbers.",
    "generate_data": "Write a synthetic table.",
    "config": "Show configurations and their JSON Schema.",
    "plugins": "List, check and write parts that packages and files of code add.",
}
COMMANDS = EVERYDAY | MORE
"""The commands in the two groups and the order of the help, with its first sentence.

Each is the object of its name in nncli.cli.NAME.
"""
MODULES = {
    **dict.fromkeys(("head", "init", "generate_data"), "data"),
    **dict.fromkeys(("train", "cross_validate", "tune", "distill", "reproduce"), "training"),
    **dict.fromkeys(("report", "share", "track", "show", "diagnose"), "runs"),
}
"""The modules of commands that have none of their own name."""
GC_THRESHOLD = 200_000
"""Allocations before the first garbage collection: twice as many as the imports of a training make."""
PYDANTIC_MESSAGES = (
    ("Value error, ", ""),
    ("Input should be a valid integer, unable to parse string as an integer", "expected a whole number"),
    ("Input should be a valid number, unable to parse string as a number", "expected a number"),
    ("Input should be greater than or equal to", "expected a number of at least"),
    ("Input should be less than or equal to", "expected a number of at most"),
)
"""The beginnings of pydantic's messages, which Typer passes on, and nncli's words for them."""
SKIPPED_PLUGIN = "the .* of the package .* is skipped: "
"""How the warning of a plugin begins."""
NO_GPU = frozenset({"gpu", "gpus", "device", "devices", "cuda", "accelerator"})
"""Options of other tools that choose a processor."""
INTERRUPTED = 128 + 2
BROKEN_PIPE = 128 + 13
OUT_OF_MEMORY = (
    "not enough memory, or the limit of threads is reached\n"
    "  Use fewer rows or columns or a smaller network, or raise the limit (`ulimit -v`, `ulimit -u`, or the job's)."
)

EPILOG = (
    "Exit codes: 0 success; 1 failure; 2 usage error; 3 configuration error; 4 data error; 5 run directory error; "
    "6 reproduced within a tolerance; "
    "128 + n stopped by signal n, for example 130 for Ctrl-C."
)

HELP_NAMES = {"help_option_names": ["-h", "--help"]}


class Commands(TyperGroup):
    """The commands of nncli, each imported when it is asked for: the help of all needs none of them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands, in the order of the help."""
        return [name.replace("_", "-") for name in COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command by its name; None if there is no such command."""
        name = cmd_name.replace("-", "_")
        if cmd_name not in self.list_commands(ctx):
            return None if ctx.resilient_parsing else _plugin_command(cmd_name)
        if cmd_name not in self.commands:
            command = getattr(import_module(f"nncli.cli.{MODULES.get(name, name)}"), name)
            if isinstance(command, typer.Typer):
                callback = command.registered_callback
                text = getdoc(callback.callback) if callback is not None else None
                command.info.name = cmd_name
                command.info.help = "\n\n".join(filter(None, (COMMANDS[name], text)))
            else:
                text = "\n\n".join(filter(None, (COMMANDS[name], getdoc(command))))
                app = typer.Typer(rich_markup_mode=None, add_completion=False)
                app.command(cmd_name, cls=GroupedHelpCommand, help=text)(with_options(command))
                command = app
            self.commands[cmd_name] = typer.main.get_command(command)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the words begin with; a misspelled one is answered with the closest."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            close = closest_match(name, self.list_commands(ctx))
            ctx.fail(f"No such command {name!r}{f'. Did you mean {close!r}?' if close else ''}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The first sentence of the help of each command, whole."""
        for title, commands in (("Commands", EVERYDAY), ("More commands", MORE)):
            with formatter.section(title):
                formatter.write_dl([(name.replace("_", "-"), text) for name, text in commands.items()])


def _plugin_command(name: str) -> Any:
    """A command of a plugin by its name; None if there is none."""
    from nncli.base import plugins

    part = plugins.find("commands", name)
    if part is None:
        return None
    command = typer.Typer(rich_markup_mode=None, add_completion=False)
    command.command(name, cls=GroupedHelpCommand)(part.function)
    return typer.main.get_command(command)


# Without Rich's markup the help is plain text and takes half the time.
app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=HELP_NAMES,
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"nncli {__version__}")
        raise typer.Exit


@app.callback(epilog=EPILOG)
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Train neural networks on tables: from a table or a YAML file to a run directory that predicts.

    \b
    nncli head table.csv                             show its columns and first rows
    nncli train table.csv --target COLUMN            train with the default settings
    nncli init table.csv --target COLUMN -o c.yaml   write them to a YAML file, to edit
    nncli train c.yaml                               train from the YAML file
    nncli tune c.yaml                                search for better hyperparameters
    nncli report runs/c                              write an HTML report of the run
    nncli predict runs/c new.csv -o predictions.csv  predict new rows
    """
    if debug:
        os.environ["NNCLI_DEBUG"] = "1"


def main() -> None:
    """Run the command line and end the process."""
    # Imported objects live until the end: collecting them again and again, and once more at exit, frees nothing.
    gc.set_threshold(GC_THRESHOLD)
    atexit.register(gc.freeze)
    # Looking for plugins of pydantic reads the metadata of every package that is installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    warnings.filterwarnings("always", SKIPPED_PLUGIN)
    hide_numeric_warnings()
    warnings.showwarning = _show_warning
    prepare_standard_streams()
    _remove_credentials()
    if os.environ.get("_NNCLI_COMPLETE") == "complete_bash":
        join_words(os.environ)
    _run()


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print the warning of a plugin that is skipped as other warnings of nncli, and any other one as Python does."""
    is_ours = category.__name__ == "PluginWarning"
    text = f"warning: {message}\n" if is_ours else warnings.formatwarning(message, category, filename, lineno, line)
    with suppress(OSError):
        print(text, file=file or sys.stderr, end="")


def _remove_credentials() -> None:
    """Remove the credentials of URLs from the command line, so that no message, manifest or process can show them."""
    if any("://" in word for word in sys.argv):
        sys.argv[1:] = map(argument_without_credentials, sys.argv[1:])


def _run() -> None:
    """Run the command and turn any exception into one message and an exit code."""
    try:
        code = app(prog_name="nncli", standalone_mode=False)
    except StoppedError as error:
        _fail(error, error.on(in_terminal), error.code)
    except NncliError as error:
        code = error.exit_code
        if (meant := _meant(sys.argv[1:])) is not None:
            error = NncliError(error.message, location=error.location, hint=f"Write {meant}")
        _fail(error, error.on(in_terminal), code)
    except SecondSignalError as error:
        resume = f"\n  {error.hint}" if error.hint else ""
        _fail(error, f"stopped at once; the last checkpoint is kept{resume}", 128 + error.number)
    except (typer.Abort, KeyboardInterrupt) as error:
        _fail(error, "interrupted", INTERRUPTED)
    except SystemExit as error:
        # Typer and Rich exit when the reader of the pipe has closed it.
        sys.exit(BROKEN_PIPE if isinstance(error.__context__, BrokenPipeError) else error.code)
    except OSError as error:
        if is_out_of_memory(error):
            _fail(error, OUT_OF_MEMORY, 1)
        _fail_in_plugin(error)
        if isinstance(error, FileNotFoundError) and _working_directory_is_gone():
            _fail(error, "the working directory was deleted\n  Change to another one: cd", 1)
        location = f"{error.filename}: " if error.filename else ""
        _fail(error, f"{location}{error.strerror or error}\n  This is the operating system's message.", 1)
    except BaseException as error:  # a panic in Polars is not an Exception
        if is_out_of_memory(error):
            _fail(error, OUT_OF_MEMORY, 1)
        if hasattr(error, "format_message"):  # a usage error from Typer
            _fail_usage(error)
        _fail_in_plugin(error)
        _fail(
            error,
            f"internal error: {type(error).__name__}: {error}\n"
            "  This is a bug in nncli. Please report it with the traceback that `nncli --debug …` prints.",
            1,
        )
    if code == INTERRUPTED:  # Typer caught a KeyboardInterrupt
        _fail(KeyboardInterrupt(), "interrupted", code)
    sys.exit(code if isinstance(code, int) else 0)


def _meant(words: Sequence[str]) -> str | None:
    """The command that was meant, if the arguments are in another order."""
    places = [i for i, word in enumerate(words) if not word.startswith("-")]
    if not places or words[places[0]] not in {name.replace("_", "-") for name in COMMANDS}:
        return None
    from nncli.cli.swapped_arguments import corrected_command

    group: Any = typer.main.get_command(app)
    command = group.get_command(typer.Context(group), words[places[0]])
    return corrected_command(command, words[places[0] + 1 :])


def _working_directory_is_gone() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _fail_in_plugin(error: BaseException) -> None:
    """Print an exception of code of a plugin, if it is one."""
    from nncli.base.plugins import error_of_plugin

    named = error_of_plugin(error)
    if named is not None:
        _fail(error, named.on(in_terminal), named.exit_code)


def _fail_usage(error: Any) -> NoReturn:
    """Print a usage error from Typer in the format of all other errors, or the help of a command without arguments."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        sys.exit(error.exit_code)
    message = error.format_message().rstrip(".")
    for theirs, ours in PYDANTIC_MESSAGES:
        message = message.replace(theirs, ours)
    command = error.ctx.command_path if error.ctx else "nncli"
    hint = key_hint(error, sys.argv[1:]) or argument_hint(error, sys.argv[1:])
    if "unexpected extra argument" in error.format_message() and (meant := _meant(sys.argv[1:])) is not None:
        _fail(error, f"{message[:1].lower()}{message[1:]}\n  Write {meant}", error.exit_code)
    message = message if hint is None else message.partition(" (Possible")[0]
    help_text = f"See `{command} --help`."
    _fail(error, f"{message[:1].lower()}{message[1:]}\n  {f'{hint} ' if hint else ''}{help_text}", error.exit_code)


def _fail(error: BaseException, message: str, code: int) -> NoReturn:
    from nncli.base.text import escape_unprintable

    with suppress(OSError):  # stderr may be a full disk: the exit code still says it
        if os.environ.get("NNCLI_DEBUG"):
            print(redacted("".join(traceback.format_exception(error))), file=sys.stderr, end="")  # noqa: T201
        # This is where errors are shown.
        print(f"nncli: {escape_unprintable(redacted(message))}", file=sys.stderr)  # noqa: T201
    sys.exit(code)


def key_hint(error: Any, arguments: Sequence[str]) -> str | None:
    """What is meant by an unknown option of the `arguments`, or the key that is named like it for --set.

    `error` is Typer's usage error. None if it is about something else, or if the command has no such option.
    """
    import shlex

    name = getattr(error, "option_name", None)
    if type(error).__name__ != "NoSuchOption" or name is None or error.ctx is None:
        return None
    options = {word: option for option in error.ctx.command.params for word in option.opts}
    word, value = name.lstrip("-").replace("-", "_"), _value(name, arguments)
    if word in NO_GPU:
        return "nncli computes on the CPU; there is nothing to choose."
    if word == "threshold" and error.ctx.info_name in ("predict", "evaluate", "report", "explain"):
        return f"A threshold is saved in the run: nncli threshold RUN --at {shlex.quote(value)} --save."
    from nncli.config.errors.suggestions import aliases_of

    meant = aliases_of(word)
    option = next(
        (f"--{other.replace('_', '-')}" for other in meant if f"--{other.replace('_', '-')}" in options), None
    )
    if option is not None:
        return f"Use {option}."
    arguments_of_command = [p for p in error.ctx.command.params if p.param_type_name == "argument"]
    if (word == "data" or "path" in meant) and arguments_of_command:
        names = (str(argument.metavar) for argument in arguments_of_command)
        usage = " ".join(shlex.quote(value) if name.startswith(("TABLE", "CONFIG")) else name for name in names)
        return f"The table is an argument without an option: {error.ctx.command_path} {usage}."
    if "--set" not in options:
        return None
    key = _key(word, meant, has_similar_option=bool(error.possibilities))
    if key is None:
        return None
    return f"Did you mean --set {shlex.quote(f'{key}={value}')}?"


def argument_hint(error: Any, arguments: Sequence[str]) -> str | None:
    """What an unexpected word of the `arguments` may be: a part of a value with a space, or the target of a table.

    `error` is Typer's usage error. None if it is about something else.
    """
    import shlex

    if "unexpected extra argument" not in error.format_message() or error.ctx is None:
        return None
    for i, word in enumerate(arguments[:-1]):
        if word in ("--set", "-s") and arguments[i + 1].count("[") > arguments[i + 1].count("]"):
            rest = arguments[i + 1 :]
            end = next((j for j, part in enumerate(rest, 1) if "]" in part), len(rest))
            return f"Write the value without spaces or in quotation marks: --set {shlex.quote(' '.join(rest[:end]))}."
    extra = [word for word in arguments if f"({word})" in error.format_message()]
    if extra and any("--target" in option.opts for option in error.ctx.command.params):
        return f"For the column to predict: --target {shlex.quote(extra[0])}."
    return None


def _key(name: str, meant: Sequence[str], *, has_similar_option: bool) -> str | None:
    """The key of that name, of `data` without its section; the one `meant` by a word of other libraries.

    Or else one that is spelled nearly so, unless an option is.
    """
    from nncli.config.schema import Config, DataSection

    first, _, rest = name.partition(".")
    if first in Config.model_fields:
        return name
    for word in () if rest else (first, *meant):
        if word in Config.model_fields or word in DataSection.model_fields:
            return word if word in Config.model_fields else f"data.{word}"
    similar = None if has_similar_option else closest_match(first, Config.model_fields)
    return f"{similar}.{rest}" if similar and rest else similar


def _value(name: str, arguments: Sequence[str]) -> str:
    """The value that was given to the option, or VALUE."""
    for i, argument in enumerate(arguments):
        option, has_value, value = argument.partition("=")
        if option == name and has_value:
            return value
        if option == name and i + 1 < len(arguments) and not arguments[i + 1].startswith("--"):
            return arguments[i + 1]
    return "VALUE"
