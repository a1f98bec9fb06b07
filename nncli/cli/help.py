"""Help texts with options grouped by purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from nncli.base.option import (
    ACCESS,
    ADDRESS,
    DISPLAY,
    GOAL,
    INPUT,
    LIMITS,
    OUTPUT,
    SEARCH,
    TRAINING,
    UNCERTAINTY,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

PANELS = ("Arguments", INPUT, SEARCH, TRAINING, GOAL, UNCERTAINTY, ADDRESS, LIMITS, ACCESS, OUTPUT, DISPLAY)
"""Headings of a command's help, in their order."""


class Command(TyperCommand):
    """A command whose help groups its options by their `rich_help_panel`, in plain text."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write one section for each panel."""
        for title, parameters in option_groups(self.get_params(ctx)):
            with formatter.section(title):
                formatter.write_dl([_record(parameter, ctx) for parameter in parameters])

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`RUN` for a required argument, `[INPUT]` for an optional one, instead of Typer's braces."""
        arguments = [p for p in self.get_params(ctx) if p.param_type_name == "argument"]
        names = [_argument_name(argument) for argument in arguments]
        return ["[OPTIONS]"] + [
            name if argument.required else f"[{name}]" for name, argument in zip(names, arguments, strict=True)
        ]


def _record(parameter: Any, ctx: Any) -> tuple[str, str]:
    """The name and the help of a parameter; an argument without its Python type."""
    name, text = parameter.get_help_record(ctx)
    return (_argument_name(parameter), text) if parameter.param_type_name == "argument" else (name, text)


def _argument_name(argument: Any) -> str:
    return f"{argument.metavar}..." if argument.nargs != 1 else str(argument.metavar)


def option_groups(parameters: Iterable[Any]) -> list[tuple[str, list[Any]]]:
    """The visible parameters by panel, in the order of PANELS; an option without a panel is one of Display."""
    groups: dict[str, list[Any]] = {title: [] for title in PANELS}
    for parameter in parameters:
        if getattr(parameter, "hidden", False):
            continue
        if parameter.param_type_name == "argument":
            groups["Arguments"].append(parameter)
        else:
            groups[getattr(parameter, "rich_help_panel", None) or DISPLAY].append(parameter)
    return [(title, members) for title, members in groups.items() if members]
