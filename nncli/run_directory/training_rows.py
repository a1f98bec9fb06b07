"""The rows that a run was trained or validated on, as hashes, by which they are recognized in any table.

    training_rows.safetensors   `hashes` (n,) and `counts` (3,), and of a private run `is_keyed` (1,)
    training_rows.key           of a private run, the key of the hashes

Rows are compared by the values of the model's features and the target; see nncli/data/columns/hashing.py. Up to
MAX_HASHES distinct rows are kept. Of more, those with the smallest hashes are: a random sample that is the same in
every table, so that the share of the rows of another table that occur in it is an estimate for all rows
(Broder, "On the resemblance and containment of documents", 1997).

In a table of few distinct values, new rows equal training rows by chance. The share of the training rows that occur
more than once estimates how many (Good, "The population frequencies of species", 1953).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import log, sqrt

import numpy as np
import safetensors
import safetensors.numpy

from nncli.data.columns.hashing import Hashes

MAX_HASHES = 1 << 17
"""Distinct rows that are kept: 1 MiB."""
LARGEST_FILE = 16 * MAX_HASHES
"""Bytes of the file that are read at most."""
ALL = (1 << 64) - 1
EVIDENCE = log(1000.0)
"""The least evidence against chance, in nats, for which scores are said to be optimistic."""
DEVIATIONS = 3.0
"""Standard deviations that are added to the share of rows that repeat by chance."""

NOTABLE_CHANCE = 0.05
"""The share of the matching rows from which the warning says how many would match by chance."""


@dataclass(frozen=True)
class RowMatches:
    """How many rows of a table equal rows that a run was trained or validated on; the matches of two parts add up.

    `sampled` of the `rows` were compared, and `matched` of them are training rows. `chance` is the share of new rows
    that is expected to match, and `largest_chance` its upper limit.
    """

    rows: int
    sampled: int
    matched: int
    chance: float
    largest_chance: float

    def __add__(self, other: RowMatches) -> RowMatches:
        return RowMatches(
            self.rows + other.rows,
            self.sampled + other.sampled,
            self.matched + other.matched,
            self.chance,
            self.largest_chance,
        )

    @property
    def trained_rows(self) -> int:
        """The number of rows that are training rows, estimated unless all rows were compared."""
        return round(self.rows * self.matched / self.sampled) if self.sampled else 0

    @property
    def rows_by_chance(self) -> int:
        """The number of rows that would be expected to equal training rows if all were new."""
        return round(self.rows * self.chance)

    @property
    def are_optimistic(self) -> bool:
        """Whether more rows match than chance explains, so that scores on them are too good.

        By the Chernoff bound, chance explains `matched` of `sampled` rows with a probability of at most exp(-evidence).
        """
        if not self.sampled:
            return False
        share, chance = self.matched / self.sampled, self.largest_chance
        if share <= chance or chance >= 1.0:
            return False
        divergence = share * log(share / chance)
        if share < 1.0:
            divergence += (1.0 - share) * log((1.0 - share) / (1.0 - chance))
        return self.sampled * divergence > EVIDENCE

    @property
    def warning(self) -> str | None:
        """One line that says that scores on these rows are too good, or None."""
        if not self.are_optimistic:
            return None
        about = "" if self.sampled == self.rows else "about "
        notable = self.rows_by_chance > NOTABLE_CHANCE * self.trained_rows
        by_chance = f" (about {self.rows_by_chance:,} would equal such rows by chance)" if notable else ""
        return (
            f"{about}{self.trained_rows:,} of {self.rows:,} rows were trained on or chose the epoch{by_chance}: "
            "these scores are optimistic"
        )

    def json(self) -> dict[str, object]:
        """{"rows": …, "by_chance": …, "optimistic": …}."""
        return {"rows": self.trained_rows, "by_chance": self.rows_by_chance, "optimistic": self.are_optimistic}


@dataclass(frozen=True)
class TrainingRows:
    """The distinct `hashes` of training and validation rows up to `limit`, in ascending order.

    `rows` of all rows have a hash up to the limit, and `single_rows` of these occur only once. With a `key` the hashes
    are keyed, so that nobody without it can guess a row; an empty one means that it is not known.
    """

    hashes: Hashes
    limit: int
    rows: int
    single_rows: int
    key: bytes | None = None

    def keyed(self, key: bytes) -> TrainingRows:
        """The same rows, by hashes with a key of 16 bytes."""
        return self if self.key is not None else replace(self, hashes=np.unique(siphash(self.hashes, key)), key=key)

    @classmethod
    def of(cls, blocks: Iterable[Hashes]) -> TrainingRows:
        """The rows with these hashes, block by block; memory does not grow with their number."""
        sample = _Sample(np.empty(0, np.uint64), np.empty(0, np.int64))
        waiting: list[Hashes] = []
        for block in blocks:
            waiting.append(block)
            if sum(map(len, waiting)) >= MAX_HASHES:
                sample, waiting = sample.merge(waiting), []
        sample = sample.merge(waiting)
        counts = sample.counts
        return cls(sample.hashes, sample.limit, int(counts.sum()), int(np.count_nonzero(counts == 1)))

    @classmethod
    def union(cls, parts: Sequence[TrainingRows]) -> TrainingRows:
        """The rows of any of some parts that share most of their rows, such as those of a cross-validation.

        How many rows are repeated is estimated by the first part.
        """
        first, limit = parts[0], min(part.limit for part in parts)
        hashes = np.unique(np.concatenate([part.hashes for part in parts]))
        hashes = hashes[hashes <= np.uint64(limit)]
        rows = max(len(hashes), round(len(hashes) * first.rows / max(1, len(first.hashes))))
        single = min(len(hashes), round(rows * first.single_rows / max(1, first.rows)))
        return cls(hashes, limit, rows, single)

    def match(self, hashes: Hashes) -> RowMatches:
        """Compare the rows of a table, by their hashes (rows,), with these."""
        sampled = hashes if self.limit == ALL else hashes[hashes <= np.uint64(self.limit)]
        sampled = siphash(sampled, self.key) if self.key else sampled
        places = np.searchsorted(self.hashes, sampled)
        places[places == len(self.hashes)] = 0
        matched = int(np.count_nonzero(self.hashes[places] == sampled)) if len(self.hashes) else 0
        return RowMatches(len(hashes), len(sampled), matched, self.chance, self.largest_chance)

    @property
    def chance(self) -> float:
        """The estimated probability that a new row equals one of these."""
        return 1.0 - self.single_rows / self.rows if self.rows else 0.0

    @property
    def largest_chance(self) -> float:
        """An upper limit of `chance`: it allows for DEVIATIONS of the counts of repeated and of single rows."""
        if not self.rows:
            return 1.0
        single, repeated = self.single_rows, self.rows - self.single_rows
        from_repeated = repeated + DEVIATIONS * sqrt(2.0 * repeated) + DEVIATIONS**2
        from_single = self.rows - single + DEVIATIONS * sqrt(single)
        return min(from_repeated, from_single, self.rows) / self.rows

    def to_bytes(self) -> bytes:
        """The content of training_rows.safetensors."""
        counts = np.array([self.limit, self.rows, self.single_rows], np.uint64)
        arrays = {"hashes": np.ascontiguousarray(self.hashes), "counts": counts}
        return safetensors.numpy.save(arrays if self.key is None else arrays | {"is_keyed": np.ones(1, np.uint8)})

    @classmethod
    def from_bytes(cls, content: bytes) -> TrainingRows:
        """Read the content of training_rows.safetensors.

        Raises:
            ValueError: it does not hold training rows.
        """
        try:
            arrays = safetensors.numpy.load(content)
            hashes, counts = arrays["hashes"], arrays["counts"]
        except (safetensors.SafetensorError, TypeError, KeyError) as error:
            raise ValueError("not a file of training rows") from error
        if hashes.dtype != np.uint64 or counts.dtype != np.uint64 or hashes.ndim != 1 or counts.shape != (3,):
            raise ValueError("not a file of training rows")
        limit, rows, single = counts.tolist()
        if (hashes[1:] <= hashes[:-1]).any() or not single <= len(hashes) <= rows:
            raise ValueError("the training rows do not fit each other")
        return cls(hashes, limit, rows, single, b"" if "is_keyed" in arrays else None)


def siphash(x: Hashes, key: bytes) -> Hashes:
    """SipHash-2-4 of each number (n,), as 8 bytes in little-endian order, with a key of 16 bytes.

    Source: Aumasson, Bernstein, "SipHash: a fast short-input PRF", 2012.
    """
    k0, k1 = np.frombuffer(key, "<u8").astype(np.uint64)
    start = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    v0, v1, v2, v3 = (np.full(len(x), np.uint64(word) ^ k) for word, k in zip(start, (k0, k1, k0, k1), strict=True))

    def rotated(v: Hashes, bits: int) -> Hashes:
        return (v << np.uint64(bits)) | (v >> np.uint64(64 - bits))

    for word, rounds in ((x, 2), (np.full(len(x), 8 << 56, np.uint64), 2), (None, 4)):
        if word is None:
            v2 = v2 ^ np.uint64(0xFF)
        else:
            v3 = v3 ^ word
        for _ in range(rounds):
            v0, v2 = v0 + v1, v2 + v3
            v1, v3 = rotated(v1, 13) ^ v0, rotated(v3, 16) ^ v2
            v0, v2 = rotated(v0, 32) + v3, v2 + v1
            v1, v3 = rotated(v1, 17) ^ v2, rotated(v3, 21) ^ v0
            v2 = rotated(v2, 32)
        if word is not None:
            v0 = v0 ^ word
    mixed: Hashes = v0 ^ v1 ^ v2 ^ v3
    return mixed


@dataclass(frozen=True)
class _Sample:
    """The smallest distinct `hashes`, in ascending order, and how often each occurs."""

    hashes: Hashes
    counts: np.ndarray[tuple[int], np.dtype[np.int64]]
    limit: int = ALL

    def merge(self, blocks: list[Hashes]) -> _Sample:
        """Add the hashes of more rows, and keep at most MAX_HASHES distinct ones."""
        new = np.concatenate([self.hashes, *(block[block <= np.uint64(self.limit)] for block in blocks)])
        weights = np.ones(len(new), np.int64)
        weights[: len(self.hashes)] = self.counts
        order = np.argsort(new, kind="stable")
        hashes, starts = np.unique(new[order], return_index=True)
        counts = np.add.reduceat(weights[order], starts) if len(starts) else self.counts
        if len(hashes) <= MAX_HASHES:
            return _Sample(hashes, counts, self.limit)
        return _Sample(hashes[:MAX_HASHES], counts[:MAX_HASHES], int(hashes[MAX_HASHES - 1]))
