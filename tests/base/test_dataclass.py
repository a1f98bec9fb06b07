"""The fast `dataclass` against that of the standard library."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar

import pytest

from nncli.base.dataclass import dataclass

OURS, THEIRS = dataclass, dataclasses.dataclass


def classes(decorate: Callable[..., Any]) -> dict[str, Any]:
    """Classes of every form that the package has."""

    @decorate(frozen=True)
    class Frozen:
        x: float
        names: tuple[str, ...] = ()
        cache: dict[str, int] = field(default_factory=dict, compare=False, repr=False)
        UNIT: ClassVar[str] = "m"

        @cached_property
        def double(self) -> float:
            return 2 * self.x

    @decorate(frozen=True)
    class Child(Frozen):
        more: int = field(default=0, hash=False)

    @decorate
    class Mutable:
        x: float
        later: int = field(init=False)

        def __post_init__(self) -> None:
            self.later = 1

    @decorate(frozen=True, kw_only=True)
    class Keywords:
        b: int = 0
        a: int

    @decorate(frozen=True, eq=False)
    class Identity:
        x: int

    @decorate(frozen=True)
    class OwnMethods:
        x: int

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

    @decorate(frozen=True)
    class Empty:
        pass

    return {key: value for key, value in locals().items() if isinstance(value, type)}


ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "Frozen": [{"x": 1.0}, {"x": 1.0, "cache": {"a": 1}}, {"x": 1.0, "names": ("a",)}, {"x": float("nan")}],
    "Child": [{"x": 1.0}, {"x": 1.0, "more": 2}],
    "Mutable": [{"x": 1.0}, {"x": 2.0}],
    "Keywords": [{"a": 1}, {"a": 1, "b": 2}],
    "Identity": [{"x": 1}, {"x": 1}],
    "OwnMethods": [{"x": 1}, {"x": 2}],
    "Empty": [{}, {}],
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_dataclass_is_that_of_the_standard_library(name: str) -> None:
    def facts(cls: Any) -> Any:
        made = [cls(**arguments) for arguments in ARGUMENTS[name]]
        equal = [[left == right for right in made] for left in made]
        hashable = cls.__hash__ is not None
        return (
            [repr(value).split(".")[-1] for value in made],
            equal,
            hashable and len(set(made)),
            [asdict(value) for value in made],
            [(field.name, field.type, field.init, field.default) for field in fields(cls)],
            [copy.deepcopy(value) == value for value in made],
            [replace(value) == value for value in made],
            made[0] == 3,
            cls.__match_args__,
            [(one.name, one.kind, one.annotation) for one in inspect.signature(cls).parameters.values()],
        )

    assert facts(classes(OURS)[name]) == facts(classes(THEIRS)[name])


def test_equal_values_of_other_classes_differ() -> None:
    made = classes(OURS)
    assert made["Frozen"](1.0) != made["Child"](1.0)
    assert hash(made["Child"](1.0, more=1)) == hash(made["Child"](1.0, more=2))


def test_a_frozen_value_cannot_be_changed() -> None:
    value = classes(OURS)["Child"](1.0)
    for name in ("x", "more", "other"):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, 3)
    with pytest.raises(FrozenInstanceError):
        del value.x
    assert (value.x, value.double) == (1.0, 2.0)


@dataclass(frozen=True)
class Node:
    name: str
    inner: tuple[Node, ...] = ()


def test_a_value_is_pickled_and_nested() -> None:
    tree = Node("a", (Node("b"),))
    assert pickle.loads(pickle.dumps(tree)) == tree
    assert repr(tree) == "Node(name='a', inner=(Node(name='b', inner=()),))"


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="more"):
        Node("a", inner=(), more=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="name"):
        Node()  # type: ignore[call-arg]
