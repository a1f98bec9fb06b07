"""Classes from Python: `code=[MyLoss]`, which other processes load from its file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nncli
from nncli.base import plugins
from nncli.base.errors import RunError, UsageError
from tests.cli.support import DATA, ROOT

LOSS = (ROOT / "examples" / "plugins" / "nncli-focal" / "nncli_focal.py").read_text()
TRAIN = """
import nncli

finished = nncli.train(
    {table!r}, target="label", code=[Focal], output="run",
    set=["loss=focal", "preset=textbook", "layers=[8]", "epochs=80", "members=3", "workers=2"],
)
print(finished.status)
"""


@pytest.fixture(autouse=True)
def _no_plugins() -> Iterator[None]:
    plugins.reset()
    yield
    plugins.reset()


def test_a_class_of_a_module_takes_part_and_its_file_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_losses.py").write_text(LOSS)
    monkeypatch.syspath_prepend(os.fspath(tmp_path))
    from my_losses import Focal  # type: ignore[import-not-found]

    settings = ["loss={type: focal, gamma: 1}", "preset=textbook", "layers=[4]", "epochs=2"]
    run = nncli.train(DATA / "xor.csv", target="label", code=[Focal], set=settings, output=tmp_path / "run").run

    assert (run / "code" / "my_losses.py").read_text() == LOSS
    plugins.reset()
    with pytest.raises(RunError, match="code="):
        nncli.load(run)
    assert nncli.load(run, code=[Focal]).classes
    plugins.reset()
    assert nncli.load(run, code=[run / "code" / "my_losses.py"]).classes


@pytest.mark.parametrize("is_guarded", [True, False])
def test_a_class_of_a_script_needs_the_usual_guard(tmp_path: Path, is_guarded: bool) -> None:
    script, train = tmp_path / "script.py", TRAIN.format(table=str(DATA / "xor.csv"))
    if not is_guarded:
        train = train.replace("epochs=80", "epochs=5000")  # long enough that worker processes start
    body = "\n".join(f"    {line}" for line in train.splitlines())
    script.write_text(f'{LOSS}\n\nif __name__ == "__main__":\n{body}\n' if is_guarded else f"{LOSS}\n{train}\n")

    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    if is_guarded:
        assert done.stdout.strip() == "done", done.stderr
    else:
        assert done.returncode
        assert "if __name__" in done.stderr


def test_a_file_that_begins_work_while_it_is_loaded_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(f"{LOSS}\n{TRAIN.format(table=str(DATA / 'xor.csv'))}")

    with pytest.raises(UsageError, match="begins other work"):
        plugins.load_file(file)
