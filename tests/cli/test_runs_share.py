"""`nncli share` on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from nncli import train
from tests.run_directory.support import marked_table


def run_nncli(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run nncli in a folder, with a standard input that nobody writes to."""
    reading, writing = os.pipe()
    try:
        command = [sys.executable, "-m", "nncli", *map(str, arguments)]
        return subprocess.run(
            command, cwd=folder, stdin=reading, capture_output=True, text=True, check=False, timeout=60
        )
    finally:
        os.close(reading)
        os.close(writing)


def test_the_path_is_printed_and_what_was_removed_is_noted(tmp_path: Path) -> None:
    changes = ["epochs=1", "members=1", "layers=[4]", "data.drop=[MARKDROP]"]
    table = marked_table(tmp_path / "markfolder")
    run = train(table, target="MARKTARGET", set=changes, output=tmp_path / "run").run
    done = run_nncli("share", run, folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "run.zip\n")
    assert "2 of 'MARKCAT', 1 of 'MARKTARGET'" in done.stderr
    done = run_nncli("share", run, "-o", "other.zip", "--json", folder=tmp_path)
    assert json.loads(done.stdout)["rare"] == {"MARKCAT": 2, "MARKTARGET": 1}
    assert run_nncli("share", run, folder=tmp_path).returncode == 2
    with ZipFile(tmp_path / "other.zip") as archive:
        archive.extractall(tmp_path)
    assert run_nncli("predict", "other", table, folder=tmp_path).returncode == 0
    assert run_nncli("show", "other", folder=tmp_path).returncode == 0
    assert run_nncli("explain", "other", folder=tmp_path).returncode == 5  # it does not wait for a pipe
    assert run_nncli("report", "other", folder=tmp_path).returncode == 0
