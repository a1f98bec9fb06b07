"""A program with some of its outputs, and the operations that these need."""

from __future__ import annotations

from dataclasses import replace

from nncli.program.nodes import operands
from nncli.program.program import ClassOutputs, NumberOutputs, Outputs, Program, renumbered


def select_class_outputs(program: Program, *, labels: bool, probabilities: bool) -> Program:
    """The program of a classification with its labels, its probabilities, or both."""
    outputs = program.outputs
    assert isinstance(outputs, ClassOutputs)
    selected = replace(
        outputs,
        codes=outputs.codes if labels else None,
        probabilities=outputs.probabilities if probabilities else None,
    )
    return without_unused_nodes(replace(program, outputs=selected))


def without_unused_nodes(program: Program) -> Program:
    """The program without the operations that no output needs. Its inputs are the same."""
    used, waiting = set[int](), list(program.outputs.nodes)
    while waiting:
        position = waiting.pop()
        if position not in used:
            used.add(position)
            waiting.extend(operands(program.nodes[position]))
    kept = sorted(used)
    new = {position: i for i, position in enumerate(kept)}
    return replace(
        program,
        nodes=tuple(renumbered(program.nodes[position], new) for position in kept),
        widths=tuple(program.widths[position] for position in kept),
        outputs=_renumbered_outputs(program.outputs, new),
    )


def _renumbered_outputs(outputs: Outputs, new: dict[int, int]) -> Outputs:
    def moved(node: int | None) -> int | None:
        return None if node is None else new[node]

    if isinstance(outputs, ClassOutputs):
        return replace(outputs, codes=moved(outputs.codes), probabilities=moved(outputs.probabilities))
    assert isinstance(outputs, NumberOutputs)
    bounds = tuple(replace(one, lower=new[one.lower], upper=new[one.upper]) for one in outputs.bounds)
    return replace(outputs, values=new[outputs.values], quantiles=moved(outputs.quantiles), bounds=bounds)
