"""`dataclass` of the standard library for classes that are created fast: a command imports hundreds, and uses a few.

The standard library compiles up to six methods of every class from text. Here that is `__init__` alone; the others are
the same functions for all classes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, FrozenInstanceError
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls: type | None = None, /, *, frozen: bool = False, eq: bool = True, kw_only: bool = False) -> Any:
        """As `dataclasses.dataclass`, which documents the arguments. There are no fields of type `InitVar`."""
        if cls is None:
            return lambda cls: dataclass(cls, frozen=frozen, eq=eq, kw_only=kw_only)
        dataclasses.dataclass(cls, init=False, repr=False, eq=False, kw_only=kw_only)
        fields = dataclasses.fields(cls)
        methods: dict[str, Any] = {"__init__": _init(cls, fields, frozen=frozen), "__repr__": _repr}
        if frozen:
            methods |= {"__setattr__": _refuse_to_assign, "__delattr__": _refuse_to_delete}
        if eq:
            # The class is among the values, so that there is a value and several are a tuple.
            compared = attrgetter("__class__", *(field.name for field in fields if field.compare))
            in_hash = [field.name for field in fields if (field.compare if field.hash is None else field.hash)]
            hashed = attrgetter("__class__", *in_hash)
            methods |= {"__eq__": lambda self, other: _equal(compared, self, other)}
            methods |= {"__hash__": (lambda self: hash(hashed(self))) if frozen else None}
        for name, method in methods.items():
            # Python gives a class with __eq__ the hash None.
            if name not in vars(cls) or (name == "__hash__" and vars(cls)[name] is None):
                setattr(cls, name, method)
        return cls


def _init(cls: type, fields: tuple[dataclasses.Field[Any], ...], *, frozen: bool) -> Any:
    names: dict[str, Any] = {"_set": object.__setattr__, "_MISSING": MISSING}
    parameters, keywords, body = ["self"], ["*"], []
    for field in fields:
        name = value = field.name
        default = ""
        if field.default_factory is not MISSING:
            names[f"_make_{name}"], default = field.default_factory, " = _MISSING"
            value = f"_make_{name}() if {name} is _MISSING else {name}" if field.init else f"_make_{name}()"
        elif field.default is not MISSING:
            names[f"_default_{name}"], default = field.default, f" = _default_{name}"
        if field.init:
            (keywords if field.kw_only else parameters).append(f"{name}{default}")
        elif field.default_factory is MISSING:
            continue
        body.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    signature = ", ".join(parameters + (keywords if len(keywords) > 1 else []))
    exec("\n ".join([f"def __init__({signature}):", *(body or ["pass"])]), names)
    init = names["__init__"]
    init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    init.__annotations__ = {**{field.name: field.type for field in fields if field.init}, "return": None}
    return init


def _equal(compared: attrgetter[Any], left: object, right: object) -> Any:
    return compared(left) == compared(right) if left.__class__ is right.__class__ else NotImplemented


@recursive_repr()
def _repr(self: Any) -> str:
    values = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{self.__class__.__qualname__}({', '.join(values)})"


def _refuse_to_assign(self: object, name: str, value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")
