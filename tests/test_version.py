"""What `import nncli` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import nncli
from tests.cli.support import ROOT


def test_the_version_is_the_package_s() -> None:
    assert version("nncli-train") == nncli.__version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" in project["dynamic"]


def test_the_commands_are_functions() -> None:
    for name in ("train", "predict", "evaluate", "load"):
        assert callable(getattr(nncli, name))
        assert name in nncli.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="fit"):
        nncli.fit  # noqa: B018 - asked for its error


@pytest.mark.parametrize(
    "program",
    [
        "import nncli",
        "import sys; sys.argv = ['nncli', '--help']\nfrom nncli.cli.app import main\n"
        "try: main()\nexcept SystemExit: pass",
        "import sys; sys.argv = ['nncli', '--version']\nfrom nncli.cli.app import main\n"
        "try: main()\nexcept SystemExit: pass",
    ],
    ids=["import", "help", "version"],
)
def test_nothing_heavy_is_imported_before_it_is_needed(program: str) -> None:
    heavy = {"numpy", "polars", "pydantic", "rich", "yaml", "safetensors"}
    program += f"\nimport sys; print('loaded:', *sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "loaded:"


def test_a_training_imports_only_what_it_needs_and_disables_garbage_collection(tmp_path: Path) -> None:
    words = ["nncli", "train", str(ROOT / "configs" / "linear.yaml"), "-o", str(tmp_path / "run")]
    program = f"""
import gc, sys
from nncli.cli.app import main
searches = lambda: sum(one["collections"] for one in gc.get_stats())
before = searches()
sys.argv = {words!r}
try: main()
except SystemExit: pass
print(searches() - before, sorted({{"rich", "numba"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "0 []"
