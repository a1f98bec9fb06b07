"""A program with some of its outputs."""

from __future__ import annotations

from dataclasses import replace

from nncli.program.program import ClassOutputs, Program, without_unused_nodes


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
