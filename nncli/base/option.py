"""The options of an operation: each is declared once, as the field of a frozen class, and everything else is derived.

    @dataclass(frozen=True, kw_only=True)
    class PredictOptions(Options):
        proba: Annotated[bool, Option("Add the probability of each class.", OUTPUT)] = False

From this class come the keyword of the Python function (`operation`), the option of the command line
(nncli/cli/parameters.py), the parameter of an address (nncli/serving/parameters.py) and their pages. A class with
options imports neither NumPy nor Polars, so that the command line starts fast.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import cached_property, wraps
from itertools import takewhile
from pathlib import PurePath
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Concatenate,
    Generic,
    Literal,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

from nncli.base.errors import Advice, UsageError, UseOption, in_python, in_terminal
from nncli.base.plugins import named_exceptions

INPUT, SEARCH, TRAINING, GOAL, UNCERTAINTY = "Input", "Search", "Training", "Goal", "Uncertainty"
ADVANCED = "Advanced"
ADDRESS, LIMITS, ACCESS = "Address", "Limits", "Access"
OUTPUT, DISPLAY = "Output", "Display"

Needed: TypeAlias = Literal["probabilities", "classes", "curve", "prediction_set", "interval", "order"]
"""What predictions of a kind of target may have, and an option needs."""
ConformityScore: TypeAlias = Literal["lac", "aps"]
"""The score of a class: 1 - its probability, or the total probability of the classes that are more probable."""


@dataclass(frozen=True)
class Option:
    """What is said of an option besides its name, type and default.

    `panel` is the heading in the help of the command line; without one it is no option there. `name` is its name there
    and in addresses, unless it is that of the field. `parse` makes the value of the flag and the word that was given on
    the command line. `completion` is what a shell completes: the end of the name of a function in
    nncli/cli/completion.py. `choices` are those of a text. The flag of an option that `is_negated` says no,
    such as --no-prune. `http` describes the parameter of an address; without it there is none. `needs` is what the
    predictions of a model must be able to have.
    """

    help: str
    panel: str | None = None
    name: str | None = None
    short: str | None = None
    metavar: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    parse: Callable[[str, str], Any] | None = None
    completion: str | None = None
    callback: Callable[[Any], object] | None = None
    choices: tuple[str, ...] = ()
    is_negated: bool = False
    http: str | None = None
    needs: Needed | None = None


@dataclass(frozen=True)
class DeclaredOption:
    """An option with its name, the type and the default in Python."""

    field: str
    type: Any
    default: Any
    option: Option

    @property
    def name(self) -> str:
        """The name in an address."""
        return self.option.name or self.field

    @property
    def flag(self) -> str:
        """The name on the command line."""
        return in_terminal(UseOption(self.field, self.name))

    @cached_property
    def types(self) -> tuple[Any, ...]:
        """The types of its values besides None."""
        parts = get_args(self.type) if get_origin(self.type) in (Union, UnionType) else (self.type,)
        return tuple(part for part in parts if part is not NoneType)

    @cached_property
    def choices(self) -> tuple[str, ...]:
        """The values of an option that has a few of them."""
        return get_args(self.types[0]) if self.is_checked else self.option.choices

    @cached_property
    def is_checked(self) -> bool:
        """Whether a value is an error that is none of the choices."""
        return len(self.types) == 1 and get_origin(self.types[0]) is Literal

    @property
    def item_type(self) -> Any:
        """The type of the items of an option that may be repeated, else None."""
        item = next((get_args(kind)[0] for kind in self.types if get_origin(kind) is Sequence), None)
        return str if str in get_args(item) else item

    @property
    def value_type(self) -> type:
        """The type that a word is read as: a path, an enumeration or a text where it may be one."""
        kinds = [kind for kind in self.types if isinstance(kind, type)]
        return min(kinds, key=lambda kind: (not issubclass(kind, PurePath | Enum), kind is not str))


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of an operation. Lists are kept as tuples, and so is a text where several may be given.

    Raises:
        UsageError: a value is none of the choices.
    """

    @classmethod
    def use(cls, field: str, value: object = None, placeholder: str | None = None) -> UseOption:
        """The action of using an option, with a value if there is one, or a placeholder on the command line."""
        (declared,) = (option for option in declared_options(cls) if option.field == field)
        return UseOption(field, declared.name, value, declared.option.http is not None, placeholder)

    def __post_init__(self) -> None:
        for declared in declared_options(type(self)):
            value = getattr(self, declared.field)
            if isinstance(value, list):
                object.__setattr__(self, declared.field, tuple(value))
            elif isinstance(value, str) and declared.item_type is str:
                object.__setattr__(self, declared.field, (value,))
            elif declared.is_checked and value is not None and value not in declared.choices:
                *others, last = declared.choices
                raise UsageError(f"{declared.field} is {value!r}", hint=f"Use {', '.join(others)} or {last}.")


@dataclass(frozen=True, kw_only=True)
class CodeOptions(Options):
    """Files of code with further parts, which are executed as soon as the options are there.

    Raises:
        UsageError: as for `nncli.base.plugins.load_code`.
    """

    code: Annotated[
        Sequence[str | PurePath | type],
        Option(
            "Execute a Python file that has losses, metrics, layers or other parts. Repeatable.",
            ADVANCED,
            metavar="FILE",
        ),
    ] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        plugins = sys.modules.get("nncli.base.plugins")  # not imported for the help of a command
        if self.code or plugins is not None:
            from nncli.base.plugins import load_code

            load_code(self.code)


def declared_options(options: type[Options]) -> tuple[DeclaredOption, ...]:
    """The options of a class, in the order of its fields."""
    declared = _DECLARED.get(options)
    if declared is None:
        declared = _DECLARED[options] = _declared(options)
    return declared


_DECLARED: dict[type[Options], tuple[DeclaredOption, ...]] = {}


def _declared(options: type[Options]) -> tuple[DeclaredOption, ...]:
    hints = get_type_hints(options, include_extras=True)
    declared = []
    for field in fields(options):
        kind, option = get_args(hints[field.name])
        default = field.default if field.default_factory is MISSING else field.default_factory()
        declared.append(DeclaredOption(field.name, kind, default, option))
    return tuple(declared)


A = TypeVar("A", contravariant=True)
B = TypeVar("B", contravariant=True)
C = TypeVar("C", contravariant=True)
R = TypeVar("R", covariant=True)
O = TypeVar("O", contravariant=True)  # noqa: E741
P = ParamSpec("P")
F = TypeVar("F")


class Function(Protocol[A, O, R]):
    """An operation whose argument may be left out."""

    def __call__(self, first: A = ..., /, *, options: O) -> R: ...


class PublicFunction(Protocol[A, P, R]):
    """The public function of such an operation."""

    def __call__(self, first: A = ..., /, *args: P.args, **given: P.kwargs) -> R: ...


class Function2(Protocol[A, B, O, R]):
    """An operation whose second argument may be left out."""

    def __call__(self, first: A, second: B = ..., /, *, options: O) -> R: ...


class PublicFunction2(Protocol[A, B, P, R]):
    """The public function of such an operation."""

    def __call__(self, first: A, second: B = ..., /, *args: P.args, **given: P.kwargs) -> R: ...


class operation(Generic[P, O]):  # noqa: N801 - a decorator
    """Make the public function of an operation: `f(table, options)` becomes `f(table, *, proba=False, …)`.

    The parameter of that name is replaced, and what follows it is left out. It is by name alone where an argument
    before it has a default. The docstring ends with the options.
    """

    def __init__(self, options: Callable[P, O]) -> None:
        self._options: Any = options

    @overload
    def __call__(self, function: Function[A, O, R]) -> PublicFunction[A, P, R]: ...
    @overload
    def __call__(self, function: Function2[A, B, O, R]) -> PublicFunction2[A, B, P, R]: ...
    @overload
    def __call__(self, function: Callable[[A, O], R]) -> Callable[Concatenate[A, P], R]: ...
    @overload
    def __call__(self, function: Callable[[A, B, O], R]) -> Callable[Concatenate[A, B, P], R]: ...
    @overload
    def __call__(self, function: Callable[[A, B, C, O], R]) -> Callable[Concatenate[A, B, C, P], R]: ...
    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with the options as keywords."""
        options = self._options
        declared = {option.field: option for option in declared_options(options)}
        signature = inspect.signature(function)
        positional = takewhile(lambda parameter: parameter.name != "options", signature.parameters.values())
        keywords = [
            inspect.Parameter(
                option.field, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=option.type
            )
            for option in declared.values()
        ]
        public = signature.replace(parameters=[*positional, *keywords])

        @wraps(function)
        def call(*args: Any, **given: Any) -> Any:
            bound = public.bind(*args, **given).arguments
            values = {name: bound.pop(name) for name in [*bound] if name in declared}
            with named_exceptions():
                return _worded_for_python(function(**bound, options=options(**values)))

        vars(call).pop("__wrapped__")
        call.__name__ = function.__name__.removesuffix("_with")
        call.__qualname__ = function.__qualname__.removesuffix("_with")
        vars(call)["__signature__"] = public
        words = {option.flag: option.field for option in declared.values()}
        lines = "\n".join(f"    {option.field}: {option.option.help}" for option in declared.values())
        lines = re.sub("--[a-z-]+", lambda match: f"`{words.get(match[0], match[0])}`", lines)
        call.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\nOptions:\n{lines}\n"
        return call


def _worded_for_python(result: Any) -> Any:
    """A result whose notes, and those of its targets, name keywords instead of options of the command line."""
    if not is_dataclass(result) or isinstance(result, type):
        return result
    given = {field.name: getattr(result, field.name) for field in fields(result) if field.name in ("notes", "targets")}
    notes, targets = given.get("notes"), given.get("targets")
    changes: dict[str, Any] = {}
    if isinstance(notes, tuple) and any(isinstance(note, Advice) for note in notes):
        changes["notes"] = tuple(note.spelled(in_python) if isinstance(note, Advice) else note for note in notes)
    if isinstance(targets, Mapping) and targets:
        changes["targets"] = {name: _worded_for_python(of_target) for name, of_target in targets.items()}
    return replace(result, **changes) if changes else result
