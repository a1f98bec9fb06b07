"""Missing optional packages: each is answered by the command that installs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nncli.base.errors import NncliError
from nncli.cli.shared_arguments import EXTRAS, requires_extra
from tests.cli.support import ROOT, Cli

REPORT = ("nncli.analysis.report", "nncli.api.report", "nncli.tuning.report")
"""The modules that import what the extra report installs."""

CONFIG = "data: {path: t.csv, target: y}\nlayers: [4]\nepochs: 1\nvalidation: 0\n"


@pytest.fixture
def config(here: Path) -> str:
    (here / "t.csv").write_text("x,y\n" + "".join(f"{i},{i + 0.5}\n" for i in range(20)))
    (here / "c.yaml").write_text(CONFIG)
    return "c.yaml"


@pytest.mark.parametrize("package", EXTRAS["report"])
def test_a_missing_package_of_an_extra_has_the_install_command(package: str) -> None:
    with pytest.raises(NncliError) as raised, requires_extra("report"):
        raise ModuleNotFoundError(name=package)
    assert raised.value.hint == "pip install 'nncli-train[report]'"
    assert package in raised.value.message


def test_another_missing_module_is_an_internal_error() -> None:
    with pytest.raises(ModuleNotFoundError), requires_extra("report"):
        raise ModuleNotFoundError(name="nncli.nowhere")


def test_train_needs_the_extra_report_before_it_trains(
    nncli: Cli, config: str, monkeypatch: pytest.MonkeyPatch, here: Path
) -> None:
    for name in [name for name in sys.modules if name.startswith(REPORT)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert "pip install 'nncli-train[report]'" in nncli("train", config, "--report").check(1).err
    assert not (here / "runs").exists()


def test_the_backend_numba_needs_the_extra_fast(nncli: Cli, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.nn.training.compiled.support.installed", lambda: False)
    done = nncli("train", config, "--set", "backend=numba").check(3)
    assert "pip install 'nncli-train[fast]'" in done.err


def test_a_scheduler_needs_the_extra_dask(nncli: Cli, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = nncli("train", config, "--set", "members=2", "--scheduler", "tcp://127.0.0.1:1").check(2)
    assert "pip install 'nncli-train[dask]'" in done.err


def test_the_estimators_need_the_extra_sklearn() -> None:
    program = "import sys; sys.modules['sklearn'] = None\nimport nncli.sklearn"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ImportError: nncli.sklearn needs scikit-learn: pip install 'nncli-train[sklearn]'" in done.stderr
