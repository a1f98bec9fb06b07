"""The configuration: what a YAML file may say. Layers, losses and the rest are the classes themselves."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from nncli.data.dialect import CsvDialect, DateFormat, Decimal, Encoding, Separator, Thousands
from nncli.data.encoders.kinds import Kind
from nncli.data.encoders.options import EncodingOptions
from nncli.data.splitting.folds import Bootstrap, Fold
from nncli.nn.activations import Activation, ElementwiseActivation, Relu
from nncli.nn.arrays import Backend, Precision
from nncli.nn.initializers import Initializer
from nncli.nn.layers.dense import Dense, Parametrization
from nncli.nn.layers.residual import Layer
from nncli.nn.losses import Loss
from nncli.nn.numeric_embeddings import NumericEmbedding
from nncli.optim.optimizers import Adam, Optimizer
from nncli.optim.schedules import ConstantRate, Schedule
from nncli.spec import (
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Spec,
    StrictBool,
    StrictStr,
)
from nncli.text import quote

MOST_EPOCHS = 1_000_000_000
MOST_MEMBERS = 10_000


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _spelled(value: object) -> object:
    if isinstance(value, bool | int | float):
        raise ValueError(f"put it in quotes, just as the table spells it: found {value!r} without")
    return value


Spelling = Annotated[StrictStr, BeforeValidator(_spelled)]
"""A cell as it is spelled in the table."""


Targets = Annotated[tuple[StrictStr, ...], Field(min_length=1)]


class DataSection(Spec):
    """Which table, and which of its columns."""

    path: StrictStr = Field(
        description="CSV (also .gz), TSV, Parquet or JSON lines; relative to the configuration file"
    )
    target: Annotated[Targets, BeforeValidator(_one_or_many, json_schema_input_type=StrictStr | Targets)] = Field(
        description="the column to predict, or a list of columns for several numbers"
    )
    features: tuple[StrictStr, ...] | None = Field(None, description="the columns to predict from; default: all others")
    drop: tuple[StrictStr, ...] = Field((), description="columns left out")
    columns: dict[str, Kind] = Field(
        {}, description=f"overrides of the inferred kind of column: {', '.join([*Kind][:-1])} or {[*Kind][-1]}"
    )
    sample_weight: StrictStr | None = Field(None, description="a column that says how much each row counts")
    group: StrictStr | None = Field(
        None, description="a column of which no value is both trained on and held out; no feature unless named as one"
    )
    time: StrictStr | None = Field(
        None,
        description="a column of numbers or dates: what is held out is never earlier than what is trained on; "
        "no feature unless named as one",
    )
    leave_out: Fold | None = Field(
        None, description="a fold that is neither trained on nor validated on, as cross-validation has it"
    )
    missing_values: tuple[Spelling, ...] = Field(("", "NA"), description="spellings of a missing value")
    encoding: Encoding = Field(
        "auto",
        description="what a CSV is written in: utf-8, latin-1, cp1252, utf-16 …; auto: UTF-8, or what its mark says",
    )
    separator: Separator = Field(
        "auto",
        description="what stands between the cells of a CSV; auto: a comma, semicolon, tab or bar, if clear",
    )
    decimal: Decimal = Field(
        "auto", description="the decimal mark of numbers in text, `.` or `,`; auto: the comma only if that is clear"
    )
    thousands: Thousands | None = Field(
        None, description="what groups digits in threes in numbers in text, such as `,` or a space; null: nothing does"
    )
    date_format: DateFormat = Field(
        "auto",
        description='how dates are written in text, such as `"%d/%m/%Y"`; auto: ISO 8601, or another common form if '
        "it is clear which is the day and which the month",
    )

    @property
    def dialect(self) -> CsvDialect:
        """How the table is written, as far as it is said."""
        return CsvDialect(
            encoding=self.encoding,
            separator=self.separator,
            decimal=self.decimal,
            thousands=self.thousands,
            date_format=self.date_format,
        )

    @property
    def row_columns(self) -> tuple[str, ...]:
        """The columns that are read for something else than features and target: weight, group and time."""
        return tuple(filter(None, (self.sample_weight, self.group, self.time)))

    @model_validator(mode="after")
    def _each_column_has_one_part(self) -> DataSection:
        for name, names in (("target", self.target), ("features", self.features or ())):
            twice = sorted({column for column in names if names.count(column) > 1})
            if twice:
                raise ValueError(f"{name} names {quote(twice[0])} more than once")
        if self.thousands is not None and self.thousands == self.decimal:
            raise ValueError(f"decimal and thousands cannot both be {quote(self.decimal)}")
        features, dropped = set(self.features or ()), set(self.drop)
        clash = sorted(set(self.target) & {*features, *dropped, *self.row_columns})
        if clash:
            raise ValueError(
                f"{quote(clash[0])} is the target; it cannot be a feature, weight, group, time or dropped too"
            )
        clash = sorted(features & dropped)
        if clash:
            raise ValueError(f"{quote(clash[0])} is both among the features and dropped")
        return self


class EncodingSection(EncodingOptions):
    """How columns become numbers."""

    target: Literal["auto", "standard", "none"] = Field(
        "auto", description="scaling of numeric targets; auto: standard, unless the loss or the output needs raw values"
    )
    clip_target: StrictBool = Field(
        False, description="predicted numbers go no further than those of the training rows"
    )


class ValidationFile(Spec):
    """Validation rows in a file of their own."""

    path: StrictStr = Field(description="a table with the same columns; relative to the configuration file")


def _kind_of_validation(value: object) -> str | None:
    """Which of the kinds of validation is meant, by the keys that are there."""
    if not isinstance(value, dict):
        return type(value).__name__ if isinstance(value, Spec) else "share"
    for kind in (ValidationFile, Fold, Bootstrap):
        if kind.model_fields.keys() & value.keys():
            return kind.__name__
    return None


Bagging = Literal["folds", "seeds", "bootstrap"]

Validation = Annotated[
    Annotated[Fraction, Tag("share")]
    | Annotated[ValidationFile, Tag("ValidationFile")]
    | Annotated[Fold, Tag("Fold")]
    | Annotated[Bootstrap, Tag("Bootstrap")],
    Discriminator(
        _kind_of_validation,
        custom_error_type="no_such_validation",
        custom_error_message="expected a fraction of the rows, {path: …}, {folds: …, fold: …} or {bootstrap: …}",
    ),
]
"""What is validated on."""


class EarlyStopping(Spec):
    """Stop when no epoch has been better for a while."""

    patience: PositiveInt = Field(20, description="epochs to wait for a better one")
    min_delta: NonNegativeFloat = Field(0.0, description="by how much an epoch must be better to count")


EVERY = re.compile(r"([1-9][0-9]{0,11}|[0-9]+\.[0-9]+) *(epochs?|steps?|s)")


class Checkpoint(Spec):
    """When the whole state is saved, so that a training that was cut short can go on."""

    every: StrictStr = Field(
        "60 s",
        description="how often, as in 1 epoch, 500 steps or 60 s",
        json_schema_extra={"pattern": rf"^\s*({EVERY.pattern})\s*$"},
    )
    keep: PositiveInt = Field(2, description="how many of the latest to keep")

    @field_validator("every")
    @classmethod
    def _readable(cls, value: str) -> str:
        found = EVERY.fullmatch(value.strip())
        if not found or ("." in found[1] and found[2] != "s"):
            raise ValueError(f"expected something like 1 epoch, 500 steps or 60 s, found {value!r}")
        return value

    def interval(self, unit: Literal["epoch", "step", "s"]) -> float | None:
        """How many of `unit` lie between checkpoints, or None when they are counted in something else."""
        amount, found = re.fullmatch(EVERY, self.every.strip()).groups()  # type: ignore[union-attr]
        return float(amount) if found.rstrip("s") == unit.rstrip("s") else None


UNITS = {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
AMOUNT = re.compile(rf"([0-9]{{1,12}}(?:\.[0-9]{{1,6}})?) *({'|'.join(UNITS)})")


def bytes_of(amount: str) -> float | None:
    """How many bytes `500 MiB` are; None for auto.

    Raises:
        ValueError: it is neither.
    """
    if amount == "auto":
        return None
    found = AMOUNT.fullmatch(amount.strip())
    if not found:
        raise ValueError(f"expected auto, or something like 500 MiB or 2 GB, found {amount!r}")
    return float(found[1]) * UNITS[found[2]]


def _is_amount(amount: str) -> str:
    bytes_of(amount)
    return amount


class Config(Spec):
    """A whole configuration. Every key but `data` has a default.

    `preset` and `quality` are there to be written; once a preset has been laid beneath the rest, they are null.
    """

    preset: Literal["tabular", "textbook"] | None = Field(
        None, description="what stands beneath the rest; default: textbook where there are layers, tabular where not"
    )
    quality: Literal["fast", "balanced", "best"] | None = Field(
        None, description="of the preset tabular: one network, an ensemble (default), or a larger one"
    )

    data: DataSection = Field(description="which table, and which of its columns")
    encoding: EncodingSection = Field(EncodingSection(), description="how columns become numbers")
    validation: Validation = Field(
        0.2, description="a fraction of the rows (stratified for classes), a file, a fold, a bootstrap, or 0 for none"
    )
    layers: tuple[Layer, ...] = Field(
        (Dense(units=64), Dense(units=32)),
        description="hidden layers; 64 is short for a dense layer; [] is a linear model",
    )
    activation: ElementwiseActivation = Field(Relu(), description="of the dense layers that name none")
    init: Initializer | None = Field(
        None, description="of the dense layers that name none, and of the output; default: as the activation advises"
    )
    parametrization: Parametrization | None = Field(
        None, description="standard or ntk, of the dense layers that name none, and of the output; default: standard"
    )
    numeric_embedding: NumericEmbedding | None = Field(
        None, description="how numeric columns are embedded; null: they are taken as they are"
    )
    embedding_init_std: PositiveFloat | None = Field(
        None, description="spread of the first embeddings of categories; default: 1/sqrt of their width"
    )
    loss: Loss | None = Field(None, description="default: mse for numbers, cross_entropy for classes")
    output_activation: Activation | None = Field(
        None, description="forced upon the output, for numbers only; default: the loss's own link"
    )
    optimizer: Optimizer = Field(Adam(), description="how the weights move")
    learning_rate: Schedule | None = Field(None, description="a number or a schedule; default: the optimizer's own")
    batch_size: PositiveInt | Literal["full", "auto"] = Field(
        32, description="rows in a mini-batch, or full for all; auto: by the number of training rows"
    )
    epochs: Annotated[PositiveInt, Field(le=MOST_EPOCHS)] | Literal["auto"] = Field(
        100, description="passes over the training rows; auto: 256, fewer of many rows"
    )
    l1: NonNegativeFloat = Field(0.0, description="adds l1 · Σ|w| to what is minimised; biases are free")
    l2: NonNegativeFloat = Field(0.0, description="adds l2/2 · Σw² to what is minimised; biases are free")
    clip_norm: PositiveFloat | None = Field(None, description="longest gradient; a longer one is scaled down")
    metric: StrictStr = Field(
        "auto",
        description="what chooses the best epoch, whose weights are kept, and what early stopping waits for: `loss`, "
        "`val_loss`, or a metric of the validation rows, such as `accuracy`, `roc_auc` or `rmse`; calibrated_loss: "
        "`val_loss`, for classes without class_weight after the temperature that makes it least; auto: `val_loss`, or "
        "`loss` without validation rows",
    )
    best_epoch_tie: Literal["first", "last"] = Field("first", description="which of the epochs that are equally good")
    early_stopping: EarlyStopping | None = Field(None, description="null: run all epochs; the best is kept either way")
    class_weight: Literal["balanced"] | dict[str, NonNegativeFloat] | None = Field(
        None, description="balanced, or a weight for each class"
    )
    calibration: Literal["none", "temperature", "auto"] = Field(
        "none",
        description="temperature: in the end probabilities are made as sure as they are right on the validation rows; "
        "auto: wherever there are both",
    )
    precision: Precision = Field("float32", description="of all arithmetic in the network")
    on_divergence: Literal["stop", "halve_learning_rate"] = Field(
        "stop", description="halve_learning_rate: go back to the end of the last good epoch, with half the rate"
    )
    checkpoint: Checkpoint = Field(Checkpoint(), description="when the whole state is saved, to go on from")
    memory_limit: Annotated[StrictStr, AfterValidator(_is_amount)] = Field(
        "auto",
        description="encoded rows that need more, as in 500 MiB, are kept in a file; auto: half of the free memory",
        json_schema_extra={"pattern": rf"^\s*({AMOUNT.pattern})\s*$|^auto$"},
    )
    threads: Literal["auto"] | PositiveInt = Field(
        "auto", description="threads, each with a part of every batch; auto: one, or two where steps are long"
    )
    backend: Literal["auto"] | Backend = Field(
        "auto", description="numba: compiled loops (pip install 'nncli-train[fast]'); auto: where they pay"
    )
    members: Annotated[PositiveInt, Field(le=MOST_MEMBERS)] = Field(
        1, description="networks whose mean prediction counts, each trained on other rows or from another seed"
    )
    bagging: Literal["auto"] | Bagging = Field(
        "auto",
        description="in what members differ: folds, each leaves out another; seeds, only its seed and its validation "
        "rows are its own; bootstrap, each draws its rows with replacement; auto: seeds where there are a validation "
        "file, a data.time or no validation rows, else folds",
    )
    workers: Literal["auto"] | PositiveInt = Field(
        "auto", description="members trained side by side, each in a process of its own; auto: one for each core"
    )
    seed: NonNegativeInt = Field(0, description="of the split, the first weights, the shuffling and dropout")
    output: StrictStr | None = Field(
        None, description="the run directory; default runs/NAME; -2, -3 … are appended to one that exists"
    )

    @model_validator(mode="after")
    def _parts_agree(self) -> Config:
        if self.loss is not None and self.loss.has_link and self.output_activation is not None:
            raise ValueError(f"output_activation cannot be forced on {self.loss.type}, which has its own link")
        if self.loss is not None and self.loss.task == "classification" and len(self.data.target) > 1:
            raise ValueError("several targets must be numbers; a loss for classes takes one")
        if isinstance(self.validation, Bootstrap) and self.data.time is not None:
            raise ValueError("a bootstrap knows no time; validate on a fold or a share, or leave data.time out")
        return self

    @property
    def hidden_layers(self) -> tuple[Layer, ...]:
        """The layers, every dense one with its activation, initializer and parametrization."""
        usual = {"activation": self.activation, "init": self.init, "parametrization": self.parametrization}
        return tuple(layer.with_defaults(usual) for layer in self.layers)

    @property
    def schedule(self) -> Schedule:
        """The learning rate, from the optimizer when the configuration names none."""
        return self.learning_rate or ConstantRate(initial=self.optimizer.default_learning_rate)

    @property
    def bagging_mode(self) -> Bagging:
        """What sets the members of an ensemble apart: folds, unless the validation rows are told otherwise."""
        if self.bagging != "auto":
            return self.bagging
        told = self.validation == 0.0 or not isinstance(self.validation, float) or self.data.time is not None
        return "seeds" if told else "folds"
