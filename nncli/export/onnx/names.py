"""The names in an ONNX model: those of the inputs and outputs, which share one set, and the keys of its metadata."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from nncli.program.inputs import ProgramInput
from nncli.program.program import ClassOutputs, NumberOutputs
from nncli.text import percent_digits

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


def number_columns(outputs: NumberOutputs) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """The nodes of the outputs, each with the names that `nncli predict` gives to its columns."""
    several = len(outputs.names) > 1

    def named(title: str) -> tuple[str, ...]:
        return tuple(f"{title}_{name}" if several else title for name in outputs.names)

    found = [(outputs.values, named("prediction"))]
    if outputs.quantiles is not None:
        titles = [f"quantile_{percent_digits(level)}" for level in outputs.levels]
        by_title = [named(title) for title in titles]
        found.append((outputs.quantiles, tuple(names[j] for j in range(len(outputs.names)) for names in by_title)))
    for bounds in outputs.bounds:
        digits = percent_digits(bounds.level)
        found += [(bounds.lower, named(f"lower_{digits}")), (bounds.upper, named(f"upper_{digits}"))]
    return tuple(found)


def probability_columns(outputs: ClassOutputs) -> tuple[str, ...]:
    """The names that `nncli predict` gives to the probabilities."""
    return tuple(f"proba_{label}" for label in outputs.labels)
