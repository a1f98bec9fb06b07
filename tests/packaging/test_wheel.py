"""The built wheel, installed into an environment that holds its required dependencies and nothing else.

The environment needs no package index: the dependencies are linked from the environment that runs the tests. A plain
`--system-site-packages` would bring the extras along, and hide both a missing dependency and a missing file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from filelock import FileLock
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SCRIPTS = "Scripts" if os.name == "nt" else "bin"


def run(
    command: list[str | Path], folder: Path, *, expected_exit: int = 0, text_input: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command outside the repository, without this process's import path, and check its exit code."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        input=text_input,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == expected_exit, result.stderr
    return result


def dependencies_of(requirements: list[str], collected: dict[str, Distribution]) -> dict[str, Distribution]:
    """Collect the installed distributions that the requirements need, without any extra."""
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        if requirement.name not in collected:
            collected[requirement.name] = distribution(requirement.name)
            dependencies_of(collected[requirement.name].requires or [], collected)
    return collected


def link(source: Path, target: Path) -> None:
    """Link a file or folder, or copy it where links are not allowed (Windows)."""
    try:
        target.symlink_to(source, target_is_directory=source.is_dir())
    except OSError:
        shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The wheel of the source distribution, both built in a copy of the repository, once for all test processes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "build"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            build_wheel(folder)
    (built,) = (folder / "dist").glob("*.whl")
    return built


def build_wheel(folder: Path) -> None:
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, folder / name)
    shutil.copytree(ROOT / "nncli", folder / "nncli", ignore=shutil.ignore_patterns("__pycache__"))
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", folder], folder)


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with the wheel and its required dependencies."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    venv.create(folder, with_pip=False)
    python = folder / SCRIPTS / "python"
    site_packages = Path(
        run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder).stdout[:-1]
    )
    for package in dependencies_of(PYPROJECT["project"]["dependencies"], {}).values():
        for top_level in {file.parts[0] for file in package.files or []} - {"..", "__pycache__", SCRIPTS}:
            if not (site_packages / top_level).exists():
                link(Path(str(package.locate_file(top_level))), site_packages / top_level)
    run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps", wheel],
        folder,
    )
    run([sys.executable, "-m", "pip", "--python", python, "check"], folder)
    return folder / SCRIPTS


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packaged = {name for name in archive.namelist() if ".dist-info/" not in name}
    source = {path.relative_to(ROOT).as_posix() for path in (ROOT / "nncli").rglob("*") if path.is_file()}
    assert packaged == {name for name in source if "__pycache__" not in name}
    assert {"nncli/config/config.schema.json", "nncli/config/presets/tabular.yaml", "nncli/py.typed"} <= packaged
    assert any(name.startswith("nncli/analysis/report/templates/") for name in packaged)


def test_it_trains_and_predicts_outside_the_repository(scripts: Path, tmp_path: Path) -> None:
    shutil.copy2(ROOT / "data" / "penguins.csv", tmp_path)
    nncli = scripts / "nncli"
    assert " train " in run([nncli, "--help"], tmp_path).stdout
    trained = run([nncli, "train", "penguins.csv", "--target", "species", "--set", "quality=fast"], tmp_path)
    directory = trained.stdout.strip()
    table = "\n".join((tmp_path / "penguins.csv").read_text("utf-8").splitlines()[:6]) + "\n"
    predictions = run([nncli, "predict", directory, "-"], tmp_path, text_input=table).stdout.splitlines()
    assert predictions == ["prediction", *["Adelie"] * 5]


def test_the_schema_comes_with_it(scripts: Path, tmp_path: Path) -> None:
    printed = run([scripts / "nncli", "config", "schema"], tmp_path).stdout
    assert printed == (ROOT / "nncli" / "config" / "config.schema.json").read_text("utf-8")


def test_the_core_is_slim(scripts: Path, tmp_path: Path) -> None:
    for library in ("numba", "scipy", "sklearn", "pandas", "matplotlib", "jinja2", "distributed", "torch"):
        result = run([scripts / "python", "-c", f"import {library}"], tmp_path, expected_exit=1)
        assert "ModuleNotFoundError" in result.stderr


def test_a_missing_extra_is_answered_with_the_command_that_installs_it(scripts: Path, tmp_path: Path) -> None:
    shutil.copy2(ROOT / "data" / "xor.csv", tmp_path)
    nncli = scripts / "nncli"
    train: list[str | Path] = [
        nncli,
        "train",
        "xor.csv",
        "--target",
        "label",
        "--set",
        "preset=textbook",
        "--set",
        "epochs=2",
    ]
    (directory,) = run([*train, "-o", "run"], tmp_path).stdout.split()
    answers = {
        "report": run([nncli, "report", directory], tmp_path, expected_exit=1).stderr,
        "fast": run([*train, "--set", "backend=numba", "-o", "b"], tmp_path, expected_exit=3).stderr,
        "dask": run(
            [*train, "--set", "members=2", "--scheduler", "tcp://127.0.0.1:1", "-o", "c"], tmp_path, expected_exit=2
        ).stderr,
        "sklearn": run([scripts / "python", "-c", "import nncli.sklearn"], tmp_path, expected_exit=1).stderr,
    }
    for extra, answer in answers.items():
        assert re.search(rf"[Pp]ip install 'nncli-train\[{extra}\]'", " ".join(answer.split())), answer


def test_the_extra_all_holds_the_extras_of_one_machine() -> None:
    extras = PYPROJECT["project"]["optional-dependencies"]
    (everything,) = map(Requirement, extras["all"])
    assert everything.extras == extras.keys() - {"all", "bench", "dask", "dev", "docs", "mlflow", "test"}
