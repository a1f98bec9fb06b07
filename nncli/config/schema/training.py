"""The sections of a training: `validation`, `early_stopping`, `checkpoint` and `teacher`, and amounts of memory."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from nncli.base.spec import (
    Fraction,
    NonNegativeInt,
    NonNegativeSetting,
    PathText,
    PositiveInt,
    PositiveSetting,
    Spec,
    StrictBool,
    StrictStr,
)
from nncli.data.sources.table_source import TableSource
from nncli.data.splitting.folds import Bootstrap, Fold


class EarlyStopping(Spec):
    """Stop training when the metric has not improved for a number of epochs."""

    patience: PositiveInt = Field(20, description="Epochs without improvement before training stops.")
    min_delta: NonNegativeSetting = Field(0.0, description="Smallest change that counts as an improvement.")


INTERVAL = re.compile(r"([1-9][0-9]{0,11}|[0-9]+\.[0-9]+) *(epochs?|steps?|s)")


def _check_interval(value: object) -> object:
    match = INTERVAL.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match or ("." in match[1] and match[2] != "s"):
        raise ValueError(f"expected an interval such as 1 epoch, 500 steps or 60 s, found {value!r}")
    return value


class Checkpoint(Spec):
    """When the state of training is saved, so that an interrupted training can be resumed."""

    every: Annotated[StrictStr, BeforeValidator(_check_interval)] = Field(
        "60 s",
        description="Interval between checkpoints, such as 1 epoch, 500 steps or 60 s.",
        json_schema_extra={"pattern": rf"^\s*({INTERVAL.pattern})\s*$"},
    )
    keep: PositiveInt = Field(2, description="Number of checkpoints to keep.")

    def interval(self, unit: Literal["epoch", "step", "s"]) -> float | None:
        """The interval in `unit`; None if it is configured in another unit."""
        amount, own_unit = re.fullmatch(INTERVAL, self.every.strip()).groups()  # type: ignore[union-attr]
        return float(amount) if own_unit.rstrip("s") == unit.rstrip("s") else None


SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) *([smh])")


def seconds_of(duration: str | float) -> float:
    """The seconds of a duration such as `60s`, `5m` or `1h`, or of a number of seconds.

    Raises:
        ValueError: it is not of this form, or not positive.
    """
    if not isinstance(duration, str):
        match = None
        seconds = float(duration) if isinstance(duration, int | float) and not isinstance(duration, bool) else 0.0
    else:
        match = DURATION.fullmatch(duration.strip())
        bare = re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,6})?", duration.strip())
        seconds = float(match[1]) * SECONDS[match[2]] if match else float(bare[0]) if bare else 0.0
    if not 0.0 < seconds <= 1e9:
        raise ValueError(f"expected a duration such as 60s, 5m or 1h, found {duration!r}")
    return seconds


def _check_duration(value: object) -> object:
    seconds_of(value)  # type: ignore[arg-type]
    return value


Duration = Annotated[StrictStr | PositiveSetting, BeforeValidator(_check_duration)]
"""A duration such as `60s`, `5m` or `1h`, or a number of seconds."""

UNITS = {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
AMOUNT = re.compile(rf"([0-9]{{1,12}}(?:\.[0-9]{{1,6}})?) *({'|'.join(UNITS)})")


def bytes_of(amount: str) -> float | None:
    """The number of bytes of an amount such as `500 MiB`; None for auto.

    Raises:
        ValueError: the amount is not of this form.
    """
    if amount == "auto":
        return None
    match = AMOUNT.fullmatch(amount.strip())
    if not match:
        raise ValueError(_amount_expected(amount))
    return float(match[1]) * UNITS[match[2]]


def _check_amount(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(_amount_expected(value))
    bytes_of(value)
    return value


def _amount_expected(value: object) -> str:
    return f"expected auto or an amount of memory such as 500 MiB or 2 GB, found {value!r}"


MemoryAmount = Annotated[StrictStr, BeforeValidator(_check_amount)]
"""`auto`, or an amount of memory such as `500 MiB`."""


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


class Teacher(Spec):
    """A run whose predictions the network learns instead of the targets; see `nncli distill`."""

    path: PathText = Field(description="Run directory of the teacher, which was trained on the same table.")
    sha256: StrictStr | None = Field(
        None,
        description="Checksum of the teacher's weights and held-out predictions. null: any; the run has that of its "
        "teacher.",
    )
    members: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] | None = Field(
        None,
        description="Numbers of the networks that teach, from 1; no other may have trained on the validation rows.",
    )
    swapped_rows: NonNegativeInt | Literal["auto"] = Field(
        "auto",
        description="Synthetic rows for each training row, in which 10 to 30 % of its cells are those of another row. "
        "auto: more for a small table.",
    )
    refit: StrictBool = Field(
        False,
        description="Whether the model is another network, taught by all networks and all rows. The network that is "
        "taught by `members`, without the validation rows, is then trained for the scores alone.",
    )
