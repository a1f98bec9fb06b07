"""The input of training commands: a configuration, or a table and a target for which one is drafted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nncli.base.findings import Finding
    from nncli.cli.options import TrainingInputOptions
    from nncli.config.schema import Config


@dataclass(frozen=True)
class TrainingInput:
    """A configuration, or its file, with `assignments` still to be applied.

    `arguments` are the equivalent command-line arguments. For a table, `findings` are about its columns and rows.
    """

    config: str | Config
    assignments: list[str]
    arguments: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def resolve_input(path: str, given: TrainingInputOptions, *, quiet: bool) -> TrainingInput:
    """Resolve the CONFIG argument to a configuration file or, for a table, to a drafted configuration.

    Raises:
        UsageError: a target was given with a configuration, or with a table on standard input.
        ConfigError, DataError: no configuration can be drafted for the table.
    """
    import shlex

    from nncli.api.init import config_for, is_table
    from nncli.cli.console import announce_input, echo_err

    targets = [word for name in given.target for word in ("--target", name)]
    sets_of_words = [word for text in given.assignments for word in ("--set", text)]
    quality_words = [] if given.quality is None else ["--quality", given.quality]
    arguments = (path, *given.words, *targets, *quality_words, *sets_of_words)
    sets = [*given.assignments, *given.source_assignments]
    if not quiet:
        note_ignored_variables()
    if given.quality is not None:
        sets.append(f"quality={given.quality}")
    if not is_table(path, given.target):
        if path == "-":
            announce_input("a configuration")
        return TrainingInput(path, sets, arguments)
    config, drafted = config_for(path, given.target, sets)
    if not quiet:
        words = shlex.join(arguments)
        echo_err(f"note: to edit this configuration: nncli init {words} -o config.yaml")
    return TrainingInput(config, [], arguments, drafted.decisions)


@contextmanager
def copied_table(path: str | None, given: TrainingInputOptions, output: str | Path | None) -> Iterator[None]:
    """Within the block, read a distant table for which a configuration is drafted from one copy, near `output`.

    The draft, the training and its report read the table, each more than once.

    Raises:
        DataError: the table cannot be read.
    """
    if path is None or not given.target or "://" not in path:
        yield
        return
    from nncli.base.scratch import existing_parent
    from nncli.data.sources.local_copies import local_copies
    from nncli.data.sources.open import open_original

    folder = existing_parent(Path(output or "runs/model"))
    with local_copies([given.source(path)], open_original, folder):
        yield


def note_ignored_variables() -> None:
    """Print a note about environment variables that look like nncli's and are not."""
    import os

    from nncli.cli.console import echo_err
    from nncli.config.overrides import ignored_variables

    if note := ignored_variables(os.environ):
        echo_err(f"note: {note}")


def tracker_words(words: Sequence[str]) -> Sequence[str]:
    """The trackers as they were named.

    Raises:
        UsageError: there is no such tracker, or its package is not installed.
    """
    if not words:
        return ()
    from nncli.tracking.choice import parse_trackers

    return [str(choice) for choice in parse_trackers(words)]
