"""Commands of nncli as it is here and as it was at another commit, for benchmarks that compare the two."""

from __future__ import annotations

import compileall
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from timing import COMMAND, ROOT, Run, run

HERE_TITLE, BASELINE_TITLE = "nncli", "baseline"
CHANGED = "-changed"
"""The end of a commit's name where files differ from it."""


@dataclass(frozen=True)
class Version:
    """nncli from the sources of a folder."""

    title: str
    folder: Path
    commit: str

    def nncli(self, *words: str | Path, whole_tree: bool = False) -> Run:
        """Run a command of it on all cores. Its output is quiet."""
        return run(["-P", *COMMAND, *words, "-q"], whole_tree=whole_tree, PYTHONPATH=str(self.folder))


@contextmanager
def versions(baseline: str | None) -> Iterator[list[Version]]:
    """This working copy and, unless it is None, a commit in a temporary folder."""
    here = Version(HERE_TITLE, ROOT, _git("describe", "--always", f"--dirty={CHANGED}", "--abbrev=12", "--exclude=*"))
    if baseline is None:
        yield [here]
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "baseline")
        _git("worktree", "add", "--detach", "--force", str(folder), baseline)
        try:
            compileall.compile_dir(folder / "nncli", quiet=2)
            yield [here, Version(BASELINE_TITLE, folder, _git("rev-parse", "--short=12", baseline))]
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()
