"""The parameters of a command, from the classes of its options.

A parameter of a command whose type is a class of options stands for all of them:

    def evaluate(run: RunDirectory, options: EvaluateOptions) -> None: …
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Container, Mapping
from contextlib import suppress
from enum import StrEnum
from functools import partial, wraps
from itertools import chain
from typing import Annotated, Any, get_type_hints

import typer

from nncli.base.errors import Action, NncliError, UseOption, in_terminal, worded
from nncli.base.option import CodeOptions, DeclaredOption, Options, declared_options
from nncli.cli import completion


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with a parameter for each of its options instead of one for their class."""
    hints = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    classes: dict[str, tuple[type[Options], dict[str, DeclaredOption]]] = {}
    used = {*hints}
    common: list[DeclaredOption] = []  # what several classes of options have, and a command once
    for parameter in inspect.signature(command).parameters.values():
        kind = hints[parameter.name]
        if isinstance(kind, type) and issubclass(kind, Options):
            shown = [
                declared for declared in declared_options(kind) if declared.option.panel and declared not in common
            ]
            common += [declared for declared in shown if declared in declared_options(CodeOptions)]
            names = [
                f"{parameter.name}_{declared.field}" if declared.field in used else declared.field for declared in shown
            ]
            used.update(names)
            classes[parameter.name] = kind, dict(zip(names, shown, strict=True))
            parameters.extend(_parameter(name, declared) for name, declared in zip(names, shown, strict=True))
        else:
            parameters.append(parameter.replace(annotation=kind, kind=inspect.Parameter.KEYWORD_ONLY))

    flags = {one.name for _, shown in classes.values() for one in shown.values()}

    @wraps(command)
    def run(**given: Any) -> None:
        for name, (options, shown) in classes.items():
            given[name] = options(**_values(shown, given))
        try:
            command(**given)
        except NncliError as error:  # a hint may name an option that other commands have
            error.hint = worded(error.hint or "", lambda action: in_command(action, flags)) or None
            raise

    vars(run).pop("__wrapped__")
    vars(run)["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def in_command(action: Action, options: Container[str]) -> str | None:
    """An action as who uses a command with these options does it; None if it is another option."""
    return None if isinstance(action, UseOption) and action.name not in options else in_terminal(action)


def _parameter(name: str, declaration: DeclaredOption) -> inspect.Parameter:
    """The parameter of an option, as Typer reads it."""
    option, words = declaration.option, filter(None, (declaration.option.short, declaration.flag))
    parse = option.parse or (level_of if declaration.item_type is float else None)
    declared = typer.Option(
        *words,
        help=option.help,
        metavar=option.metavar,
        min=option.minimum,
        max=option.maximum,
        callback=option.callback,
        autocompletion=None if option.completion is None else getattr(completion, f"complete_{option.completion}"),
        parser=None if parse is None else partial(parse, declaration.flag),
        rich_help_panel=option.panel,
    )
    kind, default = _type(declaration), declaration.default
    if declaration.choices:
        default = None if default is None else kind(default)
    elif kind is str or not isinstance(default, bool | int | float):
        default = None
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=False if option.is_negated else default,
        annotation=Annotated[kind if default is not None else kind | None, declared],
    )


def _type(declared: DeclaredOption) -> Any:
    """The type that Typer reads an option as."""
    if declared.option.parse is not None:
        return list[str] if declared.item_type else str
    if declared.choices:
        return StrEnum(declared.field, [(choice.upper(), choice) for choice in declared.choices])
    return list[declared.item_type] if declared.item_type else declared.value_type  # type: ignore[name-defined]


def _values(shown: Mapping[str, DeclaredOption], given: dict[str, Any]) -> dict[str, Any]:
    """What was given for the options of a class, by the names of their parameters; others keep their defaults."""
    values = {}
    for name, declared in shown.items():
        value = given.pop(name)
        if declared.option.is_negated:
            value = False if value else None
        if value and declared.option.parse is not None and declared.item_type:
            value = tuple(chain.from_iterable(value))  # each word is a list
        if value is not None:
            values[declared.field] = str(value) if declared.choices else value
    return values


def level_of(option: str, text: str) -> float:
    """The number that a level is; a percentage or a decimal comma is refused with what to write.

    Raises:
        UsageError: it is not a number.
    """
    from nncli.base.errors import UsageError
    from nncli.base.text import quote

    with suppress(ValueError):
        return float(text)
    hint = f"For 90 % write {option} 0.9."
    with suppress(ValueError):
        number = float(text.strip().removesuffix("%").replace(",", "."))
        number = number / 100 if "%" in text else number
        if 0.0 < number < 1.0:
            hint = f"Write {option} {number:g}."
    raise UsageError(f"{option} {quote(text)} is not a number", hint=hint)
