"""A run whose files others have replaced: no command waits for a pipe, follows a link or writes outside the run."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from tests.cli.support import DATA, Cli
from tests.thorough import every, in_turn, partly

SECONDS = 30
COMMANDS = (
    ("show", "RUN"),
    ("predict", "RUN", "TABLE", "-o", "predictions.csv", "--force"),
    ("evaluate", "RUN", "TABLE"),
    ("explain", "RUN", "TABLE"),
    ("drift", "RUN", "TABLE"),
    ("threshold", "RUN", "--at", "0.4", "--save"),
    ("report", "RUN"),
    ("diagnose", "RUN", "--try"),
    ("compare", "RUN", "RUN"),
    ("runs", "."),
    ("share", "RUN", "-o", "shared.zip", "--force"),
    ("export", "RUN", "-o", "model.c", "--force"),
    ("train", "RUN/config.yaml", "-o", "again"),
    ("train", "--resume", "RUN", "--set", "epochs=4"),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one network with a file of code."""
    folder = tmp_path_factory.mktemp("trained")
    code = Path(__file__).parents[2] / "examples" / "plugins" / "nncli-focal" / "nncli_focal.py"
    with pytest.MonkeyPatch.context() as patch:
        words = ("--set", "preset=textbook", "--set", "layers=[4]", "--set", "epochs=2", "--set", "loss=focal")
        Cli(patch)(
            "train", str(DATA / "xor.csv"), "-t", "label", "--code", str(code), *words, "-o", str(folder / "run")
        ).check()
    return folder / "run"


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fail if the block takes longer."""

    def end(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"this takes longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


NAMES = (
    *("config.yaml", "model.json", "model.safetensors", "manifest.json", "metrics.json", "history.csv", "health.csv"),
    *("held_out.safetensors", "reference.safetensors", "training_rows.safetensors", "code/nncli_focal.py", ".lock"),
    *("checkpoints/*", "report.html", "report.md", "remedies.json"),
)


@partly
@pytest.mark.parametrize(("name", "kind"), in_turn(NAMES, ("pipe", "link")))
def test_no_command_waits_or_writes_outside(
    nncli: Cli, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    run, outside = Path(shutil.copytree(trained, tmp_path / "run")), tmp_path / "outside"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NNCLI_TRUST_CODE", "1")
    (file, *_) = [*run.glob(name), run / name]
    content = file.read_bytes() if file.exists() else b"content"
    file.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(file)
    else:
        outside.write_bytes(content)
        file.symlink_to(outside)
    half = NAMES.index(name) // 2  # of two files with the same kind, each meets the commands that the other does not
    for words in COMMANDS[half % every(2) :: every(2)]:
        given = [word.replace("RUN", "run").replace("TABLE", str(DATA / "xor.csv")) for word in words]
        if given[1] == "run/config.yaml" and name == "config.yaml":
            continue  # a person names it: it may be a pipe
        with within(SECONDS):
            outcome = nncli(*given)
        assert "internal error" not in outcome.err
        assert "Traceback" not in outcome.err
        assert kind == "pipe" or outside.read_bytes() == content, words


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_report_in_a_run_replaces_a_link_only_by_force(
    nncli: Cli, trained: Path, tmp_path: Path, force: tuple[str, ...]
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    (run / "report.md").symlink_to(tmp_path / "outside")

    nncli("report", str(run), *force, "--code", str(run / "code" / "nncli_focal.py")).check(0 if force else 2)

    assert not (tmp_path / "outside").exists()
    assert (run / "report.md").is_symlink() == (not force)
