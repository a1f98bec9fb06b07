"""What the shell offers after Tab: configurations, run directories, keys and values of `--set`.

A shell adds a space to what is the only way to go on. So a folder is offered with what is in it, a key with its values.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, MutableMapping
from pathlib import Path

BEFORE = "_NNCLI_BEFORE"
"""What stands before the `=` that bash ends a word at."""
MANIFEST = "manifest.json"
RUNS = "runs"
DEEPEST = 3
MOST_FOLDERS = 500


def complete_run(incomplete: str) -> list[str]:
    """Run directories: those in ./runs, or wherever the path leads that is typed so far."""
    folders = _folders(incomplete) if incomplete else [*_folders(f"{RUNS}/"), *_folders("", 1)]
    return [folder for folder in dict.fromkeys(folders) if Path(folder, MANIFEST).is_file()]


def complete_config(incomplete: str) -> list[str]:
    """YAML files."""
    base = incomplete.rpartition("/")[0]
    folders = [base, *_folders(incomplete)]
    files = (name for folder in folders for name in _names(folder, of_files=True))
    return [name for name in files if name.startswith(incomplete) and name.endswith((".yaml", ".yml"))]


def complete_assignment(incomplete: str) -> list[str]:
    """Keys and values of a configuration."""
    from nncli.config.completion import complete_assignment

    before = os.environ.get(BEFORE, "")
    return [word.removeprefix(before) for word in complete_assignment(before + incomplete)]


def join_words(environment: MutableMapping[str, str]) -> None:
    """Undo what bash does to `--set epochs=3`, for which it hands over three words: put them together again.

    Of the word that is being typed, what stands before the last `=` goes to a variable of its own: bash completes only
    what comes after.
    """
    try:
        words, current = shlex.split(environment["COMP_WORDS"], posix=False), int(environment["COMP_CWORD"])
    except (KeyError, ValueError):
        return
    words = [*words[:current], words[current] if current < len(words) else ""]
    joined: list[str] = []
    for word in words:
        goes_on = word == "=" or (joined[-1:] and joined[-1].endswith("=") and not re.match("-[^0-9.]", word))
        if goes_on and len(joined) > 1:
            joined[-1] += word
        else:
            joined.append(word)
    if joined[-1].startswith("--") and "=" in joined[-1]:
        option, _, value = joined.pop().partition("=")
        joined += [option, value]
    before, equals, typed = joined[-1].rpartition("=")
    environment[BEFORE] = before + equals
    environment["COMP_WORDS"] = " ".join([*joined[:-1], typed])
    environment["COMP_CWORD"] = str(len(joined) - 1)


def _folders(typed: str, deepest: int = DEEPEST) -> Iterator[str]:
    """Folders that begin as is typed, and those in them, nearest first; none within a run, and only so many."""
    base, name = os.path.split(typed)
    level = [folder for folder in _names(base) if Path(folder).name.startswith(name)]
    for seen in range(deepest):
        yield from level[:MOST_FOLDERS]
        within = (folder for folder in level[:MOST_FOLDERS] if not Path(folder, MANIFEST).is_file())
        level = [inner for folder in within for inner in _names(folder)] if seen < deepest - 1 else []


def _names(folder: str, *, of_files: bool = False) -> list[str]:
    """The folders, or the files, in `folder`, as one types them; those that are hidden are left out."""
    try:
        with os.scandir(folder or ".") as entries:
            found = [entry.name for entry in entries if entry.is_file() == of_files and not entry.name.startswith(".")]
    except OSError:
        return []
    return [os.path.join(folder, name) for name in sorted(found)]  # noqa: PTH118 - as it is typed
