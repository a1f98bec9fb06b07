"""The key `validation`: how validation rows are chosen."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Tag

from nncli.base.spec import Fraction, Spec
from nncli.data.sources.table_source import TableSource
from nncli.data.splitting.folds import Bootstrap, Fold

Bagging = Literal["folds", "seeds", "bootstrap"]
"""How the members of an ensemble differ."""


class ValidationFile(TableSource):
    """Validation rows in a table of their own, with the same columns."""


def _validation_type(value: object) -> str | None:
    """The tag of the type of validation, from the keys of the section."""
    if not isinstance(value, dict):
        return type(value).__name__ if isinstance(value, Spec) else "fraction"
    for model in (ValidationFile, Fold, Bootstrap):
        if model.model_fields.keys() & value.keys():
            return model.__name__
    return None


Validation = Annotated[
    Annotated[Fraction, Tag("fraction")]
    | Annotated[ValidationFile, Tag("ValidationFile")]
    | Annotated[Fold, Tag("Fold")]
    | Annotated[Bootstrap, Tag("Bootstrap")],
    Discriminator(
        _validation_type,
        custom_error_type="no_such_validation",
        custom_error_message="expected a fraction of the rows, {path: …}, {folds: …, fold: …} or {bootstrap: …}",
    ),
]
"""A fraction of the rows, a file, a fold or a bootstrap."""
