"""The text of docs/commands.md, generated from the commands and the codes of findings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from nncli.base.findings import FindingCode
from nncli.cli.app import EPILOG, EVERYDAY, MORE, app
from nncli.cli.completion import option_groups

INTRODUCTION = """# The commands

Generated from the code by `python docs/build.py`. In a terminal, `nncli COMMAND --help` shows the same.

Results go to standard output, messages to standard error. `-` instead of a file is standard input or output. The keys
of a configuration are in [configuration.md](configuration.md).
"""

ENVIRONMENT = """
## Environment

- `NNCLI_KEY`, such as `NNCLI_BATCH_SIZE=64` or `NNCLI_OPTIMIZER__TYPE=adam`: a key of the configuration for every
  command that takes a CONFIG. It overrides the file, and `--set` overrides it; see
  [configuration.md](configuration.md).
  A variable of such a name that is no key is an error, unless Kubernetes sets it for a service called nncli.
- `NNCLI_DEBUG=1`: like `--debug`.
- `NNCLI_PLUGINS`: the packages whose parts may be used, separated by commas, such as `NNCLI_PLUGINS=acme-losses`; empty
  for none. Without it, all may.
- `NNCLI_TRUST_CODE=1`: execute the files of code in a run that is loaded; see [Extending](extending.md).
- `NO_COLOR=1`: like `--no-color`.
"""


FINDINGS = """
## Codes of findings

The `code` of each finding in the output of `nncli check --json`. They stay the same between versions.

"""


def commands() -> str:
    """The text of docs/commands.md."""
    group: Any = typer.main.get_command(app)
    pages = list(_pages(group, "nncli"))
    parts = [INTRODUCTION]
    for title, names in (("Commands", EVERYDAY), ("More commands", MORE)):
        of_group = [page for page in pages if page[0].split()[1].replace("-", "_") in names]
        parts += [f"\n{title}:\n\n"]
        parts += [f"- [{name}](#{name.replace(' ', '-')}): {_summary(command)}\n" for name, command in of_group]
    parts += ["\n## nncli\n", _body(group, "nncli", "[OPTIONS] COMMAND …")]
    for name, command in pages:
        parts += [f"\n## {name}\n", _body(command, name, _usage(command))]
    parts += [FINDINGS, *(f"- `{code}`: {code.description}\n" for code in FindingCode)]
    parts += [ENVIRONMENT, "\n## Exit codes\n\n"]
    parts += [f"- {code.strip().rstrip('.')}\n" for code in EPILOG.partition(":")[2].split(";")]
    return "".join(parts)


def _pages(group: Any, before: str) -> Iterator[tuple[str, Any]]:
    """Every command with its full name, for example `nncli config show`."""
    context = _context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if getattr(command, "invoke_without_command", False):
            yield f"{before} {name}", command
        if hasattr(command, "commands"):
            yield from _pages(command, f"{before} {name}")
        elif not command.hidden:
            yield f"{before} {name}", command


def _usage(command: Any) -> str:
    return " ".join(re.sub(r"[{}]", "", piece) for piece in command.collect_usage_pieces(_context(command)))


def _body(command: Any, name: str, usage: str) -> str:
    """Synopsis, description, examples, arguments and options."""
    paragraphs = (command.help or "").split("\n\n")
    examples = [paragraph.removeprefix("\b\n") for paragraph in paragraphs if paragraph.startswith("\b")]
    prose = [" ".join(paragraph.split()) for paragraph in paragraphs if not paragraph.startswith("\b")]
    parts = [f"\n    {name} {usage}", "\n\n", "\n\n".join(prose), "\n"]
    is_group = hasattr(command, "commands") and not command.invoke_without_command
    if examples:
        language = "text" if is_group else "sh"  # a group has a comment beside each example
        parts += [f"\n```{language}\n", "\n".join(examples), "\n```\n"]
    for title, parameters in option_groups(command.params):
        title = "Options" if is_group else title
        parts += [f"\n{title}:\n\n", *(_line(parameter, command) for parameter in parameters)]
    return "".join(parts)


def _line(parameter: Any, command: Any) -> str:
    written, help_text = parameter.get_help_record(_context(command))
    if _is_argument(parameter):
        written = parameter.metavar or parameter.name.upper()
    text, _, rest = help_text.partition("  [")
    more = [part for part in rest.rstrip("]").split("; ") if part]
    variable = [f"variable: {parameter.envvar}"] if parameter.envvar else []
    notes = [part for part in more if not part.startswith("env var")] + variable
    return f"- `{written}`: {text}{' (' + '; '.join(notes) + ')' if notes else ''}\n"


def _summary(command: Any) -> str:
    return re.split(r"(?<=\.)\s", " ".join((command.help or "").split()))[0]


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _context(command: Any) -> Any:
    return typer.Context(command)
