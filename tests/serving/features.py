"""Columns of a model for tests, by what a client must know of them."""

from __future__ import annotations

from functools import partial
from typing import Any

from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput, TextInput
from nncli.serving.columns.input_schema import Feature

NOTHING_KNOWN: dict[str, Any] = {
    "texts": (),
    "keys": (),
    "folded_keys": (),
    "n_codes": 2,
    "representatives": (None, None),
}
INPUTS: dict[str, Any] = {
    "number": NumberInput,
    "date": partial(DateInput, formats=("%Y-%m-%d",)),
    "text": partial(TextInput, terms=()),
    "category": partial(CategoryInput, categories=(), **NOTHING_KNOWN),
}


def column_of(name: str, kind: str = "number", is_optional: bool = False, **facts: object) -> Feature:
    """A column of a kind, of which these facts are known."""
    column: ProgramInput = INPUTS[kind](name=name, is_optional=is_optional, **facts)
    return Feature(column)
