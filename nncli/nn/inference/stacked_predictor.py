"""Prediction of few rows by the networks of an ensemble, those of equal shapes at once, with the bits of each alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from threading import Lock

import numpy as np

from nncli.nn.arrays import Array
from nncli.nn.inference.folding import FoldedNetwork
from nncli.nn.inference.forward_pass import ForwardPass
from nncli.nn.inference.predictor import MAX_FOLDED_BYTES, InferenceSession, MemberInput, run_blocks
from nncli.nn.inference.small_blocks import MAX_ROWS


class MemberPredictor:
    """The predictors of the members of an ensemble. Threads may share it.

    The folded weights of networks of equal shapes are copied once, side by side, and the predictors use the copy.
    """

    def __init__(self, predictors: Sequence[InferenceSession]) -> None:
        self._predictors = tuple(predictors)
        equal = defaultdict(list)
        for i, predictor in enumerate(predictors):
            if predictor.stages:
                equal[predictor.specification].append(i)
        self._groups = [members for members in equal.values() if len(members) > 1]
        self._stacked: dict[int, FoldedNetwork | None] = {}
        self._lock = Lock()

    def run(self, inputs: Sequence[MemberInput]) -> list[Array]:
        """The raw outputs (rows, outputs) of each member for its input; the BLAS must be limited to one thread."""
        outputs: list[Array | None] = [None] * len(inputs)
        for members in self._groups if 0 < len(inputs[0].X) <= MAX_ROWS else []:
            Z = self._run_equal(members, [inputs[i] for i in members])
            for i, member_Z in zip(members, () if Z is None else Z, strict=False):
                outputs[i] = member_Z
        return [
            predictor.run(*member_inputs) if Z is None else Z
            for predictor, member_inputs, Z in zip(self._predictors, inputs, outputs, strict=True)
        ]

    def _run_equal(self, members: Sequence[int], inputs: Sequence[MemberInput]) -> Array | None:
        """The outputs (members, rows, outputs) of equal networks; None if these do not run together."""
        first, rows = self._predictors[members[0]], len(inputs[0].X)
        plan = first.small_blocks(rows, len(members))
        stacked = self._stack(members) if plan else None
        if stacked is None or plan is None:
            return None
        Z = np.empty((len(members), rows, first.network.n_outputs))
        key, stages = f"stacked {len(members)} {first.specification}", first.stages or ()
        new = partial(ForwardPass, first.network, stages, members=len(members))
        for span, block in run_blocks(key, plan, new, lambda block: partial(block.run, stacked), inputs):
            Z[:, span] = block.Z[:, : span.stop - span.start]
        return Z

    def _stack(self, members: Sequence[int]) -> FoldedNetwork | None:
        """The weights of equal networks side by side; None if they are large."""
        with self._lock:
            if members[0] not in self._stacked:
                folded = [self._predictors[i].folded() for i in members]
                small = all(network.nbytes <= MAX_FOLDED_BYTES for network in folded)
                stacked = FoldedNetwork.joined(folded) if small else None
                for i, network in zip(members, stacked.networks if stacked else (), strict=False):
                    self._predictors[i].use_folded(network)
                self._stacked[members[0]] = stacked
            return self._stacked[members[0]]
