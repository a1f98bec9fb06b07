"""Kinds of answers in one file of code go through every command: it works, or is refused in the words of the kind."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli.base.errors import UsageError
from nncli.cli.app import COMMANDS
from nncli.data.table import Table
from tests.kinds.angle import Angle, degrees_of, nearest
from tests.kinds.grade import POINTS, Grade
from tests.warm_commands import warm_commands

pytestmark = pytest.mark.slow
FOLDER = Path(__file__).parent
ROWS = 300

RUNS = {
    "explain": ["RUN"],
    "evaluate": ["RUN", "t.csv"],
    "predict": ["RUN", "t.csv"],
    "drift": ["RUN", "t.csv"],
    "diagnose": ["RUN"],
    "report": ["RUN", "--force"],
    "show": ["RUN"],
    "runs": ["runs"],
    "compare": ["RUN", "runs/other"],
    "reproduce": ["RUN"],
    "share": ["RUN", "-o", "shared.zip", "--force"],
    "track": ["RUN", "--to", "tensorboard"],
    "trace": ["RUN/config.yaml"],
    "check": ["RUN/config.yaml"],
    "config": ["show", "RUN/config.yaml"],
    "cross_validate": ["RUN/config.yaml", "--folds", "2", "--set", "epochs=2", "--set", "members=1"],
    "distill": ["RUN", "-o", "student", "--set", "epochs=2"],
    "tune": ["RUN/config.yaml", "--search", "batch_size=16,32", "--trials", "2", "-o", "tuned"],
    "plugins": [],
}
"""The commands that work for a run of every kind, with their arguments."""
ELSEWHERE = {"head", "init", "generate_data", "train", "serve", "export", "threshold"}
"""Commands that know no answers, and those that have a test of their own here."""
REFUSALS = {
    "--proba": "needs a classification model",
    "--at=3": "needs a model of the time to an event",
    "--interval=0.9": "needs a regression model",
    "--prediction-set=0.9": "needs a classification model",
}
"""The options of predict, with a part of the message of a kind that lacks what they need."""
USES = ("--interval", "--prediction-set")
"""The options that a hint names in place of a refused one."""
TARGETS = ("onnx", "js", "c", "python", "html")


@dataclass(frozen=True)
class Kind:
    """A kind of answer with a table, the options of predict that it `gives`, and the targets of `nncli export`.

    C has no numbers beside a class.
    """

    name: str
    table: Callable[[], Mapping[str, Any]]
    keys: tuple[str, ...] = ()
    members: int = 1
    gives: frozenset[str] = field(default_factory=frozenset)
    exports: tuple[str, ...] = TARGETS

    @property
    def code(self) -> Path:
        return FOLDER / f"{self.name}.py"

    @property
    def training(self) -> list[str]:
        """The words of its training, without those for the code and the run."""
        kind = self.code.stem
        keys = (f"loss={kind}", "layers=[16]", "epochs=40", f"members={self.members}", "seed=1", *self.keys)
        return ["train", "t.csv", "--target", kind, *(word for key in keys for word in ("--set", key))]


def points() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.random.default_rng(0).normal(size=(ROWS, 2))


def angles() -> Mapping[str, Any]:
    u, v = points().T
    return {"u": u.round(2), "v": v.round(2), "angle": degrees_of(points()).round(2)}


def grades() -> Mapping[str, Any]:
    u, v = points().T
    return {"u": u, "v": v, "grade": np.array([*POINTS])[np.digitize(u - v, [-1.5, -0.5, 0.5, 1.5])]}


def changes() -> Mapping[str, Any]:
    (u, v), rng = points().T, np.random.default_rng(1)
    last, usual = np.exp(rng.normal(5.0, 1.0, ROWS)), np.exp(rng.normal(size=ROWS))
    return {"u": u, "v": v, "last": last, "usual": usual, "change": last + usual * (u - v)}


OF_CHANGES = ("data.offset=last", "data.exposure=usual")
KINDS = {
    kind.name: kind
    for kind in (
        Kind("angle", angles, members=3, exports=()),
        Kind(
            "grade",
            grades,
            members=2,
            gives=frozenset({"--proba", "--prediction-set=0.9"}),
            exports=("onnx", "js", "python", "html"),
        ),
        Kind("change", changes, OF_CHANGES, gives=frozenset({"--interval=0.9"})),
    )
}


class Commands:
    """`nncli` in a folder with a table of a kind and two of its runs, of which `other` has another seed."""

    def __init__(self, kind: Kind, folder: Path, programs: Path) -> None:
        self.kind, self.folder, self.program = kind, folder, programs / "nncli"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The completed command; all but one take the file of code."""
        command = [str(self.program), *words]
        if words[0] != "runs":
            command += ["--code", str(self.kind.code)]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with warm_commands(tmp_path_factory.mktemp("commands")) as folder:
        yield folder


@pytest.fixture(scope="module", params=KINDS)
def commands(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, programs: Path) -> Commands:
    kind = KINDS[request.param]
    found = Commands(kind, tmp_path_factory.mktemp(kind.name), programs)
    pl.DataFrame(kind.table()).write_csv(found.folder / "t.csv")
    for run, keys in (("run", ()), ("other", ("--set", "seed=2"))):
        result = found.run(*kind.training, *keys, "-o", f"runs/{run}")
        assert result.returncode == 0, result.stderr
    return found


@pytest.mark.parametrize("command", RUNS)
def test_a_command_takes_a_kind_of_one_file(commands: Commands, command: str) -> None:
    words = [word.replace("RUN", "runs/run") for word in RUNS[command]]

    result = commands.run(command.replace("_", "-"), *words)

    assert result.returncode == 0, result.stderr


def test_every_command_is_tried() -> None:
    assert RUNS.keys() | ELSEWHERE == COMMANDS.keys()


@pytest.mark.parametrize("option", REFUSALS)
def test_an_option_is_taken_or_refused_in_the_words_of_the_kind(commands: Commands, option: str) -> None:
    result = commands.run("predict", "runs/run", "t.csv", option)

    if option in commands.kind.gives:
        assert result.returncode == 0, result.stderr
        return
    assert (result.returncode, result.stdout) == (2, "")
    assert REFUSALS[option] in result.stderr
    assert any(hint in result.stderr for hint in ("Leave it out", *(f"Use {each}" for each in USES)))


@pytest.mark.parametrize("target", TARGETS)
def test_it_is_exported_or_refused_without_a_file(commands: Commands, target: str) -> None:
    result = commands.run("export", "runs/run", "--to", target, "-o", f"model.{target}", "--no-check")

    is_exported = target in commands.kind.exports
    assert result.returncode == (0 if is_exported else 2), result.stderr
    assert (commands.folder / f"model.{target}").exists() == is_exported


def test_an_exported_file_predicts_the_same(commands: Commands) -> None:
    if commands.kind.exports:
        result = commands.run("export", "runs/run", "-o", "model.py", "--check", "t.csv")
        assert result.returncode == 0, result.stderr


def test_it_has_a_threshold_where_it_has_classes(commands: Commands) -> None:
    assert commands.run("threshold", "runs/run", "--kappa").returncode == (0 if "--proba" in commands.kind.gives else 2)


def test_it_is_served_with_its_pages(commands: Commands) -> None:
    server = subprocess.Popen(
        [commands.program, "serve", "runs/run", "--port", "0", "--code", str(commands.kind.code)],
        cwd=commands.folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        address = next(word for line in server.stderr for word in line.split() if word.startswith("http://"))
        for page in ("", "docs", "openapi.json", "metrics"):
            urllib.request.urlopen(f"{address.rstrip('/')}/{page}").close()
        rows = [dict(row) for row in pl.read_csv(commands.folder / "t.csv").head(3).iter_rows(named=True)]
        body = json.dumps({"rows": rows}).encode()
        request = urllib.request.Request(
            f"{address.rstrip('/')}/predict?effects=true", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as response:
            answers = json.load(response)["rows"]
    finally:
        server.terminate()
        server.communicate()
    printed = pl.read_csv(commands.run("predict", "runs/run", "t.csv").stdout.encode())
    assert [answer["prediction"] for answer in answers] == printed["prediction"].to_list()[:3]


@pytest.mark.parametrize("name", ["angle", "grade", "change"])
def test_a_package_names_it_by_an_entry_point(name: str, tmp_path: Path, programs: Path) -> None:
    kind, packages = KINDS[name], tmp_path / "packages"
    about = packages / f"toy_{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (packages / f"toy_{name}.py").write_bytes(kind.code.read_bytes())
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: toy-{name}\nVersion: 1.0\n")
    class_name = name.capitalize()
    (about / "entry_points.txt").write_text(
        f"[nncli.targets]\n{name} = toy_{name}:{class_name}\n\n[nncli.losses]\n{name} = toy_{name}:{class_name}Loss\n"
    )
    pl.DataFrame(kind.table()).write_csv(tmp_path / "t.csv")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(packages), os.environ.get("PYTHONPATH", "")])}
    for words in ([*kind.training, "--set", "members=1", "-o", "run"], ["predict", "run", "t.csv", "-o", "new.csv"]):
        command = [sys.executable, "-m", "nncli", *words]
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
    assert pl.read_csv(tmp_path / "new.csv").height == ROWS


@pytest.mark.parametrize("name", ["angle", "grade", "change"])
def test_a_kind_is_one_file_that_imports_what_is_promised(name: str) -> None:
    tree = ast.parse(KINDS[name].code.read_text())
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]

    assert {module for module in modules if module.startswith("nncli")} == {"nncli.extend"}


def test_an_angle_is_scored_by_the_nearest_turn(programs: Path, tmp_path: Path) -> None:
    commands = Commands(KINDS["angle"], tmp_path, programs)
    pl.DataFrame(angles()).write_csv(tmp_path / "t.csv")
    commands.run(*commands.kind.training, "-o", "run")
    scores = json.loads(commands.run("evaluate", "run", "t.csv", "--json").stdout)["metrics"]
    commands.run("predict", "run", "t.csv", "-o", "new.csv")

    turned = np.abs((pl.read_csv(tmp_path / "new.csv")["prediction"] - pl.Series(angles()["angle"])).to_numpy())
    error = np.minimum(turned, 360.0 - turned)

    assert scores["mae"] == pytest.approx(error.mean(), rel=1e-5)
    assert scores["rmse"] < 40.0


def test_the_mean_of_angles_is_that_of_their_points() -> None:
    ends = Angle(names=("wind",)).encode(np.array([[359.0], [1.0]])).mean(axis=0, keepdims=True)

    assert nearest(ends, np.zeros((1, 1))) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("name", ["r2", "mape"])
def test_a_metric_that_depends_on_where_zero_is_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        Angle(names=("wind",)).metric(name)


def test_the_points_of_a_grade_are_expected_ones() -> None:
    table = Table(pl.DataFrame({"grade": [*POINTS]}), "")
    grade = Grade.fit(table, ("grade",))

    assert grade.labels == tuple(POINTS)
    assert grade.points(np.array([[0.0, 0.0, 0.5, 0.0, 0.5]])).tolist() == [3.0]
