"""The names in an ONNX model: those of the inputs and outputs, which share one set, and the keys of its metadata."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from nncli.nn.program.inputs import ProgramInput

PROBABILITIES = "probabilities"
RUN, CHECKSUM = "nncli.run", "nncli.checksum"
INPUTS, OUTPUTS, READING = "nncli.inputs", "nncli.outputs", "nncli.reading"
"""The keys of the metadata. The values of the last three are JSON."""


def input_names(inputs: Sequence[ProgramInput]) -> list[str]:
    """The names of the columns. An empty one is `column`, and U+0000, which ends a name of C, is written `\\0`."""
    names = list[str]()
    for column in inputs:
        names.append(free_name(column.name.replace("\0", r"\0") or "column", names))
    return names


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, with as many underscores after it as make it different from the taken ones."""
    while name in taken:
        name += "_"
    return name
