"""Prediction by a trained network, such that the bits of a row's prediction depend on the row alone.

The algorithm of a matrix product depends on its shape, and some BLAS kernels treat rows differently by their position
(OpenBLAS's for Haswell in float32: any row of more than eight). So prediction runs in float64, in blocks of one fixed
shape, the last one padded: measured on OpenBLAS's Haswell, Zen and SkylakeX kernels, on one thread and on two, a row
then has the same bits at any position. If a kernel still differs in the last place of a float64, rounding the result
to the network's own precision (models/model.py) removes it. Few rows are computed in smaller blocks if these give the
same bits, which is tried once for each network (nncli/nn/inference/small_blocks.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import Lock
from typing import NamedTuple, TypeAlias, TypeVar, cast

import numpy as np

from nncli.nn.arrays import Array, Codes, Precision
from nncli.nn.embeddings import GROUP_VALUES
from nncli.nn.inference.folding import FoldedNetwork, stages_of
from nncli.nn.inference.forward_pass import ForwardPass, RoundedPass, RoundedStage, has_bound, rounded_stages
from nncli.nn.inference.small_blocks import MAX_ROWS, SIZES, BlockPlan, VerifiedSizes, plan_blocks
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters

BLOCK_ROWS = 384
"""A multiple of every row tile of those kernels (4, 6, 8, 12, 16, 24, 32), also when two threads share it."""

MIN_BLOCK_ROWS = 32
"""Blocks of other sizes are multiples of it."""

MAX_FREE_BYTES = 64 << 20
"""Bytes of buffers kept for later runs by all predictors of the process; those of the latest run are always kept."""
MAX_FOLDED_BYTES = 16 << 20
"""Bytes of folded weights that a predictor keeps; larger ones are folded again for each run."""
BUFFERS_PER_UNIT = 7
"""Buffers of a block for each unit of a layer: measured, those of `backward` included."""
BUFFERS_PER_COLUMN = 5
"""Buffers for each value of the numeric columns that are embedded together: measured."""


class MemberInput(NamedTuple):
    """X (rows, features) and codes (rows, embeddings) of one network."""

    X: Array
    codes: Codes


class _BoundBlock:
    """A network bound for one block of rows, with the weights in the precision of its arithmetic."""

    def __init__(self, network: Network, rows: int) -> None:
        self._parameters = network.layout.empty(network.precision)
        self._bound = network.bind(self._parameters, rows, training=None, forward_only=True)
        self.X, self.codes, self.Z = [self._bound.X], [self._bound.codes], self._bound.Z[None]
        columns = min(GROUP_VALUES, rows * network.embedding_values)
        values = rows * (network.input_width + BUFFERS_PER_UNIT * network.units) + BUFFERS_PER_COLUMN * columns
        self.nbytes = 2 * self._parameters.theta.nbytes + 8 * values

    def load(self, parameters: Parameters) -> Callable[[], None]:
        """Copy the parameters of a predictor, and return what computes Z from X and codes."""
        self._parameters.copy_from(parameters)
        return self._bound.forward


_Block: TypeAlias = _BoundBlock | ForwardPass
_Key: TypeAlias = tuple[str, int]
"""The kind of a block with the specification of its network, and its rows."""
B = TypeVar("B", bound=_BoundBlock | ForwardPass)


class _FreeBlocks:
    """Blocks that no run uses now, the latest last; networks that are equal share them, such as those of members."""

    def __init__(self) -> None:
        self._blocks: list[tuple[_Key, _Block]] = []
        self._lock = Lock()

    def take(self, key: _Key) -> _Block | None:
        """Remove and return a block of the network `key`, or None if there is none."""
        with self._lock:
            for i in reversed(range(len(self._blocks))):
                if self._blocks[i][0] == key:
                    return self._blocks.pop(i)[1]
        return None

    def put(self, key: _Key, block: _Block) -> None:
        """Keep a block, and drop the oldest ones beyond the limit."""
        with self._lock:
            self._blocks.append((key, block))
            while len(self._blocks) > 1 and sum(kept.nbytes for _, kept in self._blocks) > MAX_FREE_BYTES:
                del self._blocks[0]


FREE_BLOCKS = _FreeBlocks()
_VERIFIED = VerifiedSizes()


class InferenceSession:
    """A network in prediction mode: dropout off, running statistics on. Reads the current `parameters` on every run.

    `precision` is that of its arithmetic, whatever the network was trained in; only float64 gives the guarantee above.
    Threads may share a predictor: each run takes a free set of buffers, or allocates one in some milliseconds. Free
    ones are shared by all predictors of equal networks, so the members of an ensemble need no more than one network.

    Blocks have `block_rows` rows, and only the default gives that guarantee; see `block_rows_for`.

    With `final`, the parameters do not change any more: if its layers allow it, the network is folded (see
    nncli/nn/inference/), in float64, which gives the same predictions in fewer operations. Then few rows are computed
    in small blocks, and the guarantee holds for runs with one BLAS thread.
    """

    def __init__(
        self,
        network: Network,
        parameters: Parameters,
        precision: Precision = "float64",
        *,
        final: bool = False,
        block_rows: int = BLOCK_ROWS,
    ) -> None:
        self.parameters, self._rows = parameters, block_rows
        self.stages = stages_of(network) if final and precision == "float64" else None
        self.network = network if self.stages else network.model_copy(update={"precision": precision})
        update = {"embeddings": tuple(e.model_copy(update={"n_embeddings": 1}) for e in network.embeddings)}
        self.specification = (self.network.model_copy(update=update) if self.stages else self.network).model_dump_json()
        self._folded: FoldedNetwork | None = None
        self._rounded: tuple[RoundedStage, ...] | None = None

    def folded(self) -> FoldedNetwork:
        """The folded arrays of the network, kept for later runs unless they are large."""
        folded = self._folded or FoldedNetwork.of(self.network, self.stages or (), self.parameters)
        if folded.nbytes <= MAX_FOLDED_BYTES:
            self._folded = folded
        return folded

    def use_folded(self, folded: FoldedNetwork) -> None:
        """Use a copy of the folded arrays from now on."""
        self._folded = folded

    def rounded(self) -> tuple[RoundedStage, ...]:
        """The layers in float32, kept for later runs unless they are large."""
        rounded = self._rounded or rounded_stages(self.folded(), self.stages or ())
        if sum(stage.weights.nbytes for stage in rounded) <= MAX_FOLDED_BYTES:
            self._rounded = rounded
        return rounded

    @property
    def can_round(self) -> bool:
        """Whether `run_rounded` is possible: the layers are folded, and their error in float32 can be bounded."""
        return self.stages is not None and has_bound(self.stages)

    def run(self, X: Array, codes: Codes, out: Array | None = None) -> Array:
        """The raw outputs (rows, outputs) for X (rows, features) and codes (rows, embeddings), into `out` if given."""
        dtype = "float64" if self.stages else self.network.precision
        Z = np.empty((len(X), self.network.n_outputs), dtype) if out is None else out
        plan = self.small_blocks(len(X)) or self._large_blocks(len(X))
        key = f"{'folded' if self.stages else 'bound'} {self.specification}"
        for span, block in run_blocks(key, plan, self._block, self._load, [MemberInput(X, codes)]):
            Z[span] = block.Z[0, : span.stop - span.start]
        return Z

    def _block(self, rows: int) -> _Block:
        if self.stages:
            return ForwardPass(self.network, self.stages, rows, copies=rows in SIZES)
        return _BoundBlock(self.network, rows)

    def _load(self, block: _Block) -> Callable[[], None]:
        return partial(block.run, self.folded()) if isinstance(block, ForwardPass) else block.load(self.parameters)

    def run_rounded(self, X: Array, codes: Codes) -> tuple[Array, Array]:
        """The raw outputs (rows, outputs) in float32, and bounds of their difference from those of `run` (rows,).

        It takes half of the time. The outputs may depend on the other rows.
        """
        Z, error = np.empty((len(X), self.network.n_outputs), np.float32), np.empty(len(X))
        key, new = f"rounded {self.specification}", partial(RoundedPass, self.network, self.stages or ())
        plan, arrays = self._large_blocks(len(X)), (self.folded(), self.rounded())
        done = run_blocks(key, plan, new, lambda block: partial(block.run_rounded, *arrays), [MemberInput(X, codes)])
        for span, block in done:
            rows = span.stop - span.start
            Z[span], error[span] = block.Z[0, :rows], block.error[:rows]
        return Z, error

    def _large_blocks(self, rows: int) -> BlockPlan:
        return [(self._rows, -(-rows // self._rows))]

    def small_blocks(self, rows: int, members: int = 1) -> BlockPlan | None:
        """The sizes of small blocks for a number of rows, for equal networks at once; None without the same bits."""
        if self.stages is None or self._rows != BLOCK_ROWS or rows > MAX_ROWS:
            return None
        plan, key = plan_blocks(rows), f"{members} {self.specification}"
        is_allowed = _VERIFIED.allow(key, self.network, self.stages, self.folded(), plan, BLOCK_ROWS, members)
        return plan if is_allowed else None


def run_blocks(
    key: str,
    plan: BlockPlan,
    new_block: Callable[[int], B],
    load: Callable[[B], Callable[[], None]],
    inputs: Sequence[MemberInput],
) -> Iterator[tuple[slice, B]]:
    """Yield slices of the rows, each with the block that has just computed them.

    `key` is equal for networks that may share a block. `load` gives a block the arrays of the networks, and returns
    what computes its Z.
    """
    start, n_rows = 0, len(inputs[0].X)
    for size, count in plan:
        block = cast("B", FREE_BLOCKS.take((key, size)) or new_block(size))
        compute = load(block)
        for _ in range(count):
            stop = min(start + size, n_rows)
            rows = stop - start
            for X, codes, given in zip(block.X, block.codes, inputs, strict=True):
                X[:rows], codes[:rows] = given.X[start:stop], given.codes[start:stop]
                X[rows:], codes[rows:] = 0.0, 0
            compute()
            yield slice(start, stop), block
            start = stop
        FREE_BLOCKS.put((key, size), block)


def block_rows_for(rows: int) -> int:
    """The rows of the blocks that predict a number of rows with little padding, at most BLOCK_ROWS."""
    n_blocks = max(1, -(-rows // BLOCK_ROWS))
    per_block = max(1, -(-rows // n_blocks))
    return -(-per_block // MIN_BLOCK_ROWS) * MIN_BLOCK_ROWS
