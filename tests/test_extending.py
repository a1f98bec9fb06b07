"""Every example of docs/extending.md works in a copy of the package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nncli.base.plugins import KINDS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "extending.md").read_text("utf-8")
SECTIONS: dict[str, str] = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
BLOCK = re.compile(r'^```(python|diff|yaml) title="([^",]+)(?:, above ([^"]+))?"\n(.*?)^```', re.MULTILINE | re.DOTALL)

UNFINISHED = shutil.ignore_patterns("*.pyc.*", "*.nb?.*")
"""What other processes may be writing while the package is copied. What they have compiled is copied with it."""


def insert_above(file: Path, anchor: str, code: str) -> None:
    """Insert code above the one line of the file that begins with the anchor."""
    source = file.read_text("utf-8")
    (match,) = re.finditer(rf"^{re.escape(anchor)}\b", source, re.MULTILINE)
    file.write_text(f"{source[: match.start()]}{code}\n\n{source[match.start() :]}", "utf-8")


def apply_diff(file: Path, diff: str) -> None:
    """Apply a diff whose hunks are separated by @@; the old lines of each must occur in the file exactly once."""
    for hunk in diff.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] != "+")
        after = "".join(line[1:] for line in lines if line[0] != "-")
        source = file.read_text("utf-8")
        assert source.count(before) == 1, f"{file.name}: {before}"
        file.write_text(source.replace(before, after), "utf-8")


def apply(kind: str, file: Path, anchor: str, code: str) -> None:
    """Put one block of the page where its title says."""
    if kind == "diff":
        apply_diff(file, code)
    elif anchor:
        insert_above(file, anchor, code)
    else:
        assert not file.exists()
        file.write_text(code, "utf-8")


def test_the_table_lists_every_extension_point_with_its_number_of_files() -> None:
    parts = (
        *("layer", "activation", "loss", "optimizer", "schedule", "metric"),
        *("column kind", "kind of target", "file format", "table source", "export format", "command"),
    )
    sections = {title.partition(" ")[2]: text for title, text in SECTIONS.items() if title != "A plugin"}
    assert [*sections] == list(parts)
    listed = {
        part: int(count) for part, count in re.findall(r"^\| \[([a-z ]+)\]\(#.*?\) \| (\d) \|", PAGE, re.MULTILINE)
    }
    files = {
        title: {block[2] for block in BLOCK.finditer(text) if block[1] != "yaml"} for title, text in sections.items()
    }
    assert listed == {title: len(names) for title, names in files.items()}


@pytest.mark.slow
@pytest.mark.parametrize("title", SECTIONS)
def test_the_example_works_in_a_copy_of_the_package(title: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "nncli", tmp_path / "nncli", ignore=UNFINISHED)
    shutil.copytree(ROOT / "data", tmp_path / "data")
    blocks = list(BLOCK.finditer(SECTIONS[title]))
    assert blocks
    for kind, name, anchor, code in (block.groups() for block in blocks):
        apply(kind, tmp_path / name, anchor, code)
    commands = "\n".join(re.findall(r"^```sh\n(.*?)^```", SECTIONS[title], re.MULTILINE | re.DOTALL))
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path),
    }
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f'nncli() {{ python -W error -m nncli "$@"; }}\n{commands}'],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_table_has_every_kind_of_plugin() -> None:
    assert sorted(re.findall(r"\| `nncli\.([a-z]+)`, ", PAGE)) == sorted(KINDS)
