"""Classes from Python: `code=[MyLoss]`, which other processes load from its file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import nncli
from nncli.base import plugins
from nncli.base.errors import ConfigError, RunError, UsageError
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


@pytest.mark.slow
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


@pytest.mark.slow
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


TIMES = """
from typing import ClassVar, Literal

from nncli.extend import CoxLoss, StrictStr


class Recurrence(CoxLoss):
    \"""Cox's loss, with another column of the target.\"""

    type: Literal["recurrence"] = "recurrence"
    again: StrictStr | None = None
    target_keys: ClassVar[tuple[str, ...]] = ("again",)

    @property
    def missing_key(self) -> tuple[str, str] | None:
        return None if self.again is not None else ("recurrence needs again", "Name a column as again.")
"""


def test_a_loss_of_the_time_to_an_event_names_its_columns(tmp_path: Path) -> None:
    (tmp_path / "recurrence.py").write_text(TIMES)
    rows = "\n".join(f"{i % 7},{1 + i * i % 11},{'yes' if i % 3 else 'no'}" for i in range(60))
    (tmp_path / "t.csv").write_text(f"x,days,again\n{rows}\n")
    settings, code = ["preset=textbook", "layers=[4]", "epochs=2"], [tmp_path / "recurrence.py"]

    def train(loss: str, name: str) -> Path:
        output = tmp_path / name
        return nncli.train(
            tmp_path / "t.csv", target="days", code=code, set=[f"loss={loss}", *settings], output=output
        ).run

    with pytest.raises(ConfigError) as missing:
        train("recurrence", "missing")
    assert missing.value.location is not None
    assert missing.value.location.key == "loss"
    run = train("{type: recurrence, again: again}", "run")
    predicted = nncli.predict(run, pl.DataFrame({"x": [3]}), at=[4], code=code)
    assert predicted.columns == ["prediction", "survival_4"]


def test_a_file_that_begins_work_while_it_is_loaded_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(f"{LOSS}\n{TRAIN.format(table=str(DATA / 'xor.csv'))}")

    with pytest.raises(UsageError, match="begins other work"):
        plugins.load_file(file)


@pytest.mark.slow
def test_a_package_of_every_kind_is_written_by_a_process_that_did_nothing_before(tmp_path: Path) -> None:
    names = {"targets": "numberlike", **{kind: f"my{kind}" for kind in plugins.KINDS if kind != "targets"}}
    written = f"for kind, name in {names}.items(): print(new_plugin(kind, name).name)"
    taken = "[new_plugin(kind, name) for kind, name in (('target', 'regression'), ('metric', 'rmse'))]"

    for work, code in ((written, 0), (taken, 1)):
        done = subprocess.run(
            [sys.executable, "-c", f"from nncli.api.plugins import new_plugin\n{work}"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert code == 0 or "UsageError" in done.stderr
    assert len([*tmp_path.iterdir()]) == len(plugins.KINDS)
