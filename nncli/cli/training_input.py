"""What a command is given to train on: a configuration, or a table and a target, for which one is drawn up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nncli.cli.options import Quality
    from nncli.config.schema import Config


@dataclass(frozen=True)
class TrainingInput:
    """A configuration, or its file, and the `assignments` that are still to be made; `words` say the same on a command
    line. Of a table, `doubts` are of columns that are likely to be taken amiss, `reasons` why little can be learnt."""

    config: str | Config
    assignments: list[str]
    words: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


def resolve_input(
    named: str, target: Sequence[str] | None, assignments: Sequence[str] | None, quality: Quality | None, *, quiet: bool
) -> TrainingInput:
    """What is given, once it is known which of the two it is; of a table a person is told what was decided.

    Raises:
        UsageError: a target goes with a configuration, or with what can be read only once.
        ConfigError, DataError: there is none for the table.
    """
    import shlex

    from nncli.cli.console import announce_input, echo_err
    from nncli.commands.init import config_for, is_a_table

    targets = [word for name in target or () for word in ("--target", name)]
    sets = [*(assignments or ())]
    level = [] if quality is None else ["--quality", quality.value]
    words = (named, *targets, *level, *(word for text in sets for word in ("--set", text)))
    if not quiet:
        note_ignored_variables()
    if quality is not None:
        sets.append(f"quality={quality.value}")
    if not is_a_table(named, target or ()):
        if named == "-":
            announce_input("a configuration")
        return TrainingInput(named, sets, words)
    config, begun = config_for(named, target or (), sets)
    if not quiet:
        for note in begun.decided:
            echo_err(f"note: {note}")
        echo_err(f"note: to see and change what is trained: nncli init {shlex.join([named, *targets])} -o config.yaml")
    return TrainingInput(config, [], words, begun.doubts, begun.reasons)


def note_ignored_variables() -> None:
    """Tell a person of variables that seem to be for nncli, and are not."""
    import os

    from nncli.cli.console import echo_err
    from nncli.config.overrides import ignored_variables

    if note := ignored_variables(os.environ):
        echo_err(f"note: {note}")


def warn(doubts: Sequence[str]) -> None:
    """Tell a person of columns in doubt, also one who wants it quiet."""
    from nncli.cli.console import echo_err

    for doubt in doubts:
        echo_err(f"warning: {doubt}")
