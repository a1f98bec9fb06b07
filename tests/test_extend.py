"""The stable surface for plugins has not changed by accident.

Of a kind of target it is what docs/extending.md names; of others, all that is public.

What is added breaks nothing: it is promised once `python -m tests.test_extend` has written the file again. A name, a
parameter or a field that goes away or changes needs a deprecation of one minor version, and a note in the changelog.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel

from nncli import extend
from nncli.extend import programs
from nncli.targets.target_base import TargetBase

FILE = Path(__file__).with_name("extend_surface.txt")
PAGE = Path(__file__).parents[1] / "docs" / "extending.md"


def documented_names() -> set[str]:
    """The code spans of the section on kinds of targets."""
    _, _, section = PAGE.read_text("utf-8").partition("## A kind of target\n")
    return set(re.findall(r"`(\w+)`", section.partition("\n## ")[0]))


def surface() -> Iterator[str]:
    """A line for each name, and for each public method, property and field of a class, after the name of the class."""
    yield from (f"programs.{name}{signature_of(value)}" for name, value in functions_of_programs())
    for name in sorted(extend.__all__):
        value = getattr(extend, name)
        if not inspect.isclass(value):
            yield f"{name}{signature_of(value) if inspect.isfunction(value) else ''}"
            continue
        yield name
        fields = [*value.model_fields] if issubclass(value, BaseModel) else []
        if dataclasses.is_dataclass(value):
            fields = [field.name for field in dataclasses.fields(value)]
        yield from (f"{name}.{field}: field" for field in fields)
        names = documented_names() if issubclass(value, TargetBase) else None
        for attribute, member in sorted(inspect.getmembers_static(value)):
            if (
                attribute.startswith("_")
                or (names is not None and attribute not in names)
                or attribute in fields
                or hasattr(BaseModel, attribute)
                or hasattr(tuple, attribute)
            ):
                continue
            if not (getattr(inspect.getmodule(getattr(value, attribute)), "__name__", "nncli")).startswith("nncli"):
                continue
            called = member.__func__ if isinstance(member, classmethod | staticmethod) else member
            yield f"{name}.{attribute}{signature_of(called) if inspect.isfunction(called) else ''}"


def functions_of_programs() -> Iterator[tuple[str, Callable[..., object]]]:
    """The names of `nncli.extend.programs`; of others than functions only the name is promised."""
    for name in sorted(programs.__all__):
        value = getattr(programs, name)
        yield name, value if inspect.isfunction(value) else (lambda: None)


def signature_of(function: Callable[..., object]) -> str:
    """The parameters with their types, and `...` for each default."""
    signature = inspect.signature(function)
    parameters = [
        parameter if parameter.default is parameter.empty else parameter.replace(default=...)
        for parameter in signature.parameters.values()
    ]
    return str(signature.replace(parameters=parameters))


def test_the_surface_is_the_one_that_was_promised() -> None:
    promised = FILE.read_text("utf-8").splitlines()

    assert promised
    assert set(promised) - set(surface()) == set()


def test_every_name_is_documented() -> None:
    undocumented = [
        name for name in extend.__all__ if inspect.isclass(getattr(extend, name)) and not getattr(extend, name).__doc__
    ]
    assert not undocumented


if __name__ == "__main__":
    FILE.write_text("\n".join([*surface(), ""]), "utf-8")
