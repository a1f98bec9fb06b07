"""What `import nncli` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from pkgutil import iter_modules

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


def test_a_function_stays_one_whatever_is_imported() -> None:
    submodules = {module.name for module in iter_modules(nncli.__path__)}
    assert not submodules & {*nncli.__all__}
    for name in submodules - {"__main__"}:
        import_module(f"nncli.{name}")
    for name in {*dir(nncli)} - {"__version__"}:
        assert callable(getattr(nncli, name)), name


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


UNNEEDED = (
    r"rich|numba|multiprocessing|statistics"
    r"|nncli\.(analysis\.(?!drift_limits)|tracking|exporters|tuning|serving|sklearn)"
    r"|nncli\.(fitting\.(ensemble|parallel|student_config)|config\.schema\.tune|api\.init|cli\.progress\.json_events)"
)
TRAINING = r"nncli\.(nn\.training|fitting\.(prepare|train|checks)|config\.schema|run_directory\.checkpoints)"
DISTANT = r"nncli\.data\.sources\.(workbook|remote|database)"


@pytest.mark.slow
def test_commands_import_only_what_they_need_and_disable_garbage_collection(tmp_path: Path) -> None:
    """The modules of nncli that a training of a small table, its prediction and its description import.

    Of a few modules more than now the bound may be raised; what a command rarely uses is imported where it is used.
    """
    run = str(tmp_path / "run")
    commands: list[tuple[list[str], int, list[str]]] = [
        (["train", str(ROOT / "configs" / "linear.yaml"), "-o", run], 270, [DISTANT]),
        (["predict", run, str(ROOT / "data" / "linear.csv"), "-o", str(tmp_path / "p.csv")], 228, [TRAINING]),
        (["show", run], 177, [TRAINING, DISTANT]),
    ]
    for words, most, unneeded in commands:
        program = f"""
import gc, re, sys
from nncli.cli.app import main
searches = lambda: sum(one["collections"] for one in gc.get_stats())
before = searches()
sys.argv = {["nncli", *words]!r}
try: main()
except SystemExit: pass
unneeded = re.compile({"|".join([UNNEEDED, *unneeded])!r})
print(searches() - before, [name for name in sys.modules if unneeded.match(name)])
print(sum(name.startswith("nncli.") for name in sys.modules))
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
        *_, rest, count = done.stdout.splitlines()
        assert (words[0], rest) == (words[0], "0 []")
        assert (words[0], int(count) <= most) == (words[0], True)
