"""Columns of a model that a request does not have: which may be absent, and which are spelled in another way.

A table must have all columns, as for `nncli predict`. A row of JSON may lack a column that had missing
cells in training, unless it has a name that looks like a misspelling of it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from nncli.base.errors import Location
from nncli.base.text import closest_match, quote
from nncli.data.table import missing_features
from nncli.serving.columns.input_schema import InputSchema
from nncli.serving.problems.problem import ProblemError, invalid_row

MAX_NAMES, MAX_NAME = 100, 200
"""Names of a request that are compared with those of the columns that it lacks, and the characters of one."""
MAX_COMPARISONS = 20_000
"""Pairs of names that are compared for one request: a pair takes some microseconds."""


@dataclass
class AbsentColumns:
    """Compares the names of one request with the columns of a model, and remembers the closest column of each."""

    model: str
    schema: InputSchema
    _closest: dict[str, str | None] = field(default_factory=dict)

    def check_row(self, names: Sequence[str], absent: Sequence[str], row: int | None = None) -> None:
        """Check the names of a row, or of rows alike, that lack the `absent` columns.

        Raises:
            ProblemError: a column is required, one is spelled in another way, or all columns are absent.
        """
        features = self.schema.by_name
        if len(absent) == len(features):
            raise self.error(absent, names, row)
        unused = unused_names(names, features)
        near = {self._closest_column(name) for name in unused}
        if required := [name for name in absent if not features[name].is_optional]:
            raise self.error(required, names, row)
        if misspelled := [name for name in absent if name in near]:
            raise self.error(misspelled, names, row, may_be_null=True)

    def check_table(self, names: Sequence[str]) -> None:
        """Check the names of a table, which must have all columns; a ProblemError if one is absent."""
        names_of_table = set(names)
        if absent := [name for name in self.schema.by_name if name not in names_of_table]:
            raise self.error(absent, names)

    def error(
        self, absent: Sequence[str], names: Sequence[str], row: int | None = None, *, may_be_null: bool = False
    ) -> ProblemError:
        """The error that columns are absent, as `nncli predict` words it."""
        features: Mapping[str, object] = self.schema.by_name
        what = "table" if row is None else "row"
        model = f"the model {quote(self.model)}"
        unused = unused_names(names, features)
        error = missing_features(absent, features, unused, Location(row=row), what, model)
        hint = f"{error.hint} If its value is missing, send null." if may_be_null else error.hint
        some = frozenset(islice(names, len(features) + MAX_NAMES))
        return invalid_row(error.message, hint, row, absent[0], names=some)

    def _closest_column(self, name: str) -> str | None:
        """The column that a name is closest to; None if there is none, or too many names were compared before."""
        if name not in self._closest:
            if len(self._closest) * len(self.schema.by_name) > MAX_COMPARISONS:
                return None
            self._closest[name] = closest_match(name[:100], self.schema.by_name)
        return self._closest[name]


def unused_names(names: Iterable[str], features: Container[str]) -> list[str]:
    """Names that are not features, to be compared with those that are missing: not too many, nor too long ones."""
    return list(islice((name for name in names if name not in features and len(name) <= MAX_NAME), MAX_NAMES))
