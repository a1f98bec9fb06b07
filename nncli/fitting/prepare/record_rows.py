"""Recording the rows that a model is trained or validated on, so that they are recognized in any table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from nncli.base.logs import log_duration
from nncli.data.columns.hashing import Hashes
from nncli.data.encoders.encoder import Encoder
from nncli.data.store.column_store import ColumnStore
from nncli.models.model import hash_rows
from nncli.runs.training_rows import TrainingRows
from nncli.targets.target import Target


def record_rows(tables: Sequence[ColumnStore | None], encoder: Encoder, target: Target) -> TrainingRows:
    """The hashes of the rows of stored tables, None for one that there is not; a row drawn repeatedly counts once."""
    with log_duration("recording the training rows"):
        return TrainingRows.of(_hashes(tables, encoder, target))


def _hashes(tables: Sequence[ColumnStore | None], encoder: Encoder, target: Target) -> Iterator[Hashes]:
    for table in tables:
        if table is None:
            continue
        numbers = None if table.row_numbers is None else np.unique(table.row_numbers)
        # The target may be numbers too: it is read from the table.
        in_dense = frozenset(encoder.numbers) - set(target.names)
        for block, dense in replace(table, row_numbers=numbers).iter_dense([*encoder.names, *target.names], in_dense):
            yield hash_rows(encoder, target, block, dense)
