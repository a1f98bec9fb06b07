"""`dataclass` of the standard library for classes that are created fast: a command imports hundreds, and uses a few.

The standard library compiles up to six methods of every class from text. Here that is `__init__` alone; the others are
the same functions for all classes.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls: type | None = None, /, *, frozen: bool = False, eq: bool = True, kw_only: bool = False) -> Any:
        """As `dataclasses.dataclass`, which documents the arguments."""
        if cls is None:
            return lambda cls: dataclass(cls, frozen=frozen, eq=eq, kw_only=kw_only)
        dataclasses.dataclass(cls, repr=False, eq=False, kw_only=kw_only)
        methods: dict[str, Any] = {"__repr__": _repr}
        if frozen:
            methods |= {"__setattr__": _set_once, "__delattr__": _refuse_to_delete}
        if eq:
            fields = [field for field in dataclasses.fields(cls) if field.compare]
            # The class is among the values, so that there is a value and several are a tuple.
            compared = attrgetter("__class__", *(field.name for field in fields))
            hashed = attrgetter("__class__", *(field.name for field in fields if field.hash is not False))
            methods |= {"__eq__": lambda self, other: _equal(compared, self, other)}
            methods |= {"__hash__": (lambda self: hash(hashed(self))) if frozen else None}
        for name, method in methods.items():
            # Python gives a class with __eq__ the hash None.
            if name not in vars(cls) or (name == "__hash__" and vars(cls)[name] is None):
                setattr(cls, name, method)
        return cls


def _equal(compared: attrgetter[Any], left: object, right: object) -> Any:
    return compared(left) == compared(right) if left.__class__ is right.__class__ else NotImplemented


@recursive_repr()
def _repr(self: Any) -> str:
    values = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{self.__class__.__qualname__}({', '.join(values)})"


def _set_once(self: Any, name: str, value: object) -> None:
    """Set a field that has no value yet, as `__init__` does."""
    if name in vars(self) or name not in self.__dataclass_fields__:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _refuse_to_delete(self: object, name: str) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
