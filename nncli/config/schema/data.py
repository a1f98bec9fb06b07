"""The sections `data` and `encoding`: the table, the roles of its columns, and their encoding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from nncli.base.spec import PositiveInt, StrictBool, StrictStr
from nncli.base.text import quote
from nncli.data.dialect import (
    DEFAULT_MISSING_VALUES,
    CsvDialect,
    DateFormat,
    Decimal,
    DecimalMark,
    Encoding,
    FooterRows,
    HeaderRow,
    Ragged,
    Separator,
    Thousands,
)
from nncli.data.encoders.column_types import ColumnType
from nncli.data.encoders.encoding_options import EncodingOptions
from nncli.data.invalid_cells import OnInvalidCell
from nncli.data.sources.table_source import TableSource
from nncli.data.splitting.folds import Fold, RowSample
from nncli.nn.losses.scaling import LossScaling


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _quoted(value: object) -> object:
    if isinstance(value, bool | int | float):
        raise ValueError(f"put it in quotes, exactly as in the table: found {value!r} without")
    return value


CellText = Annotated[StrictStr, BeforeValidator(_quoted)]
"""The text of a cell in the table."""

Targets = Annotated[tuple[StrictStr, ...], Field(min_length=1)]


def _each_once(order: tuple[str, ...]) -> tuple[str, ...]:
    for i, name in enumerate(order):
        if name in order[:i]:
            raise ValueError(f"a class must be written once, and {quote(name)} is there twice")
    return order


class DataSection(TableSource):
    """The table and the roles of its columns."""

    foreign_keys: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(
            ("event", "events", "status", "censored", "censoring", "duration", "start", "entry"),
            "For the time to an event write target: TIME and loss: {type: survival, event: COLUMN}, with the column "
            "that is yes in rows with the event; start: COLUMN in the loss is the time from which on a row was seen.",
        )
    )
    """Keys of other libraries, and what is written here."""

    target: Annotated[Targets, BeforeValidator(_one_or_many, json_schema_input_type=StrictStr | Targets)] = Field(
        description="Column to predict, or a list of columns, each a number or a class, or a label with the loss "
        "binary_cross_entropy."
    )
    features: tuple[StrictStr, ...] | None = Field(
        None, description="Columns to predict from. Default: all other columns."
    )
    drop: tuple[StrictStr, ...] = Field((), description="Columns that are not used.")
    columns: dict[str, ColumnType] = Field(
        {},
        description="Kinds of columns, instead of the inferred ones: "
        f"{', '.join([*ColumnType][:-1])} or {[*ColumnType][-1]}.",
    )
    sample_weight: StrictStr | None = Field(None, description="Column with the weight of each row.")
    exposure: StrictStr | None = Field(
        None,
        description="Column of how long, or for how much, each row was observed, such as years or persons: counts and "
        "amounts are proportional to it (a log offset). Needs a loss with a log link, such as poisson.",
    )
    offset: StrictStr | None = Field(
        None,
        description="Column of numbers that are added to the predictions: what is learned is the difference of the "
        "target from it, such as from an earlier value or from the prediction of another model. It is no feature.",
    )
    order: Annotated[tuple[CellText, ...], Field(min_length=2), AfterValidator(_each_once)] | None = Field(
        None,
        description="The classes of the target, lowest first, for the loss `ordinal`. Default: the order that their "
        "names tell, by numbers and ranges, grades, periods, or words such as low, medium and high.",
    )
    group: StrictStr | None = Field(
        None,
        description="Column of groups, whose rows depend on each other: intervals and tests count a group as one unit. "
        "Rows of the same group are never in both training and validation rows, unless `time` splits them. The column "
        "is a feature only with `time`, unless it is listed in `drop`, or if `features` lists it.",
    )
    time: StrictStr | None = Field(
        None,
        description="Column of numbers or dates. Validation rows are the latest, of all groups, and never earlier than "
        "training rows. "
        "The column is also a feature unless it is listed in `drop`.",
    )
    leave_out: Fold | None = Field(
        None, description="Fold that is used neither for training nor for validation; set by cross-validation."
    )
    sample: RowSample | None = Field(
        None,
        description="Random sample of the rows that have a target: their number, or {rows: 100000, seed: 0}. It is "
        "drawn right after reading and stratified by class; the other rows are not used at all. null: all rows.",
    )
    default_missing_values: StrictBool = Field(
        True, description="Whether an empty cell and NA are missing values besides those in `missing_values`."
    )
    missing_values: tuple[CellText, ...] = Field(
        DEFAULT_MISSING_VALUES,
        description="Cells that are read as missing values, added to an empty cell and NA. `default_missing_values: "
        "false` leaves only the cells that are listed.",
    )
    on_error: OnInvalidCell = Field(
        "auto",
        description="Cells that are no numbers in a column of numbers, such as k.A. or inf. auto: words that are fewer "
        "than 1 % of its cells are missing, with a warning, and so are one or two words without a digit that repeat; "
        "others are refused. fail: all are refused. missing, skip: all are missing, or their rows are left out, in "
        "columns of which most cells are numbers or dates.",
    )
    encoding: Encoding = Field(
        "auto",
        description="Character encoding of a CSV file, such as utf-8, latin-1, cp1252 or utf-16. "
        "auto: that of its byte order mark; without one UTF-8, or Windows-1252 or UTF-16 if its bytes show that.",
    )
    separator: Separator = Field(
        "auto",
        description="Separator of a CSV file. auto: comma, semicolon, tab or vertical bar, if it is unambiguous.",
    )
    decimal: Decimal = Field(
        "auto", description="Decimal mark of numbers, `.` or `,`. auto: the comma only if it is unambiguous."
    )
    decimals: dict[str, DecimalMark] = Field(
        {},
        description="Decimal marks of columns that have another one than `decimal`. With `decimal: auto` a column in "
        "a table of points has a comma if that is the only mark in its cells, and not only as in 1,234. With "
        "`thousands: .` a column has a point likewise.",
    )
    thousands: Thousands | None = Field(
        None, description="Thousands separator of numbers, such as `,` or a space. null: none."
    )
    date_format: DateFormat = Field(
        "auto",
        description='Format of dates, such as `"%d/%m/%Y"`. auto: ISO 8601, or another common format if day and month '
        "are unambiguous.",
    )

    header: StrictBool = Field(
        True, description="Whether a CSV file has a header. false: the columns are called column_1, column_2, …"
    )
    header_row: HeaderRow = Field(
        "auto", description="Line of the header of a CSV file, from 1. auto: the first one below titles."
    )
    footer_rows: FooterRows = Field(
        "auto",
        description="Number of lines below the table in a CSV file, such as notes. auto: notes are recognized.",
    )
    ragged: Ragged = Field(
        "refuse",
        description="Rows of a CSV file with more or fewer cells than the header: refuse the file, pad short rows with "
        "missing cells, or skip rows.",
    )

    @property
    def dialect(self) -> CsvDialect:
        """The options of reading a CSV file as configured; `auto` is not resolved."""
        return CsvDialect(
            **{key: getattr(self, key) for key in CsvDialect.model_fields if key in DataSection.model_fields}
        )

    @property
    def row_columns(self) -> tuple[str, ...]:
        """The columns of sample weights, exposures, offsets, groups and times, where configured."""
        return tuple(filter(None, (self.sample_weight, *self.context_columns, self.group, self.time)))

    @property
    def context_columns(self) -> tuple[str, ...]:
        """The columns that predictions are relative to."""
        return tuple(filter(None, (self.exposure, self.offset)))

    @property
    def excluded(self) -> frozenset[str]:
        """The columns that are not features unless `features` lists them; the time column is one.

        A group is one if its rows are on both sides of a split in time.
        """
        group = self.group if self.time in (None, self.group) else None
        return frozenset({*self.target, *self.drop, *self.context_columns, *filter(None, (self.sample_weight, group))})

    @field_validator("missing_values")
    @classmethod
    def _add_defaults(cls, words: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        defaults = DEFAULT_MISSING_VALUES if info.data.get("default_missing_values", True) else ()
        return (*(word for word in defaults if word not in words), *words)

    @model_validator(mode="after")
    def _check_roles(self) -> DataSection:
        for key, names in (("target", self.target), ("features", self.features or ())):
            if len(set(names)) < len(names):
                repeated = min(name for name, count in Counter(names).items() if count > 1)
                raise ValueError(f"{key} lists {quote(repeated)} more than once")
        if self.thousands is not None and {self.thousands} == {self.decimal, *self.decimals.values()}:
            raise ValueError(f"decimal and thousands cannot both be {quote(self.decimal)}")
        if not self.header and self.header_row != "auto":
            raise ValueError("header_row is the line of the header, but `header: false` says that there is none")
        features, dropped = set(self.features or ()), set(self.drop)
        conflicts = sorted(set(self.target) & {*features, *dropped, *self.row_columns})
        if conflicts:
            raise ValueError(
                f"{quote(conflicts[0])} is the target; it cannot also be a feature, weight, exposure, offset, group, "
                "time or dropped"
            )
        for key, column in (("exposure", self.exposure), ("offset", self.offset)):
            if column is not None and column in {*features, *dropped, *self.columns}:
                raise ValueError(f"{quote(column)} is the {key}; it cannot also be in features, in drop or in columns")
            if column is not None and len(self.target) > 1:
                raise ValueError(f"{key} needs one target")
        if self.exposure is not None and self.exposure == self.offset:
            raise ValueError(f"{quote(self.exposure)} is the exposure; it cannot also be the offset")
        conflicts = sorted(features & dropped)
        if conflicts:
            raise ValueError(f"{quote(conflicts[0])} is both in features and in drop")
        return self


class EncodingSection(EncodingOptions):
    """The encoding of features and target as numbers."""

    target: LossScaling = Field(
        "auto",
        description="Scaling of numeric targets. standard: mean 0 and standard deviation 1. mean: divided by the mean. "
        "auto: mean for the losses of amounts, none if the loss or the output activation needs unscaled values, else "
        "standard.",
    )
    clip_target: StrictBool = Field(
        False,
        description="Clip predicted numbers to the range of the target in the training rows; with an exposure, clip "
        "rates to that of the target over the exposure. Distributions are not clipped.",
    )
    max_features: Literal["auto"] | PositiveInt | None = Field(
        None,
        description="Largest number of columns that the network uses. Of more, those are kept that tell most about the "
        "target by themselves in the training rows (an F test, as SelectKBest of scikit-learn). null: all. "
        "auto: 2,000.",
    )
