"""A kind of answer in one file of code goes through every command: it works, or is refused in the words of the kind."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.base.errors import UsageError
from nncli.cli.app import COMMANDS
from tests.kinds.angle import Angle, degrees_of, nearest
from tests.warm_commands import warm_commands

CODE = Path(__file__).with_name("angle.py")
pytestmark = pytest.mark.slow

RUNS = {
    "explain": ["RUN"],
    "evaluate": ["RUN", "wind.csv"],
    "predict": ["RUN", "wind.csv"],
    "drift": ["RUN", "wind.csv"],
    "diagnose": ["RUN"],
    "report": ["RUN", "--force"],
    "show": ["RUN"],
    "runs": ["runs"],
    "compare": ["one", "several"],
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
"""The commands of every run that work, with their arguments."""
OPTIONS = {
    "--proba": "needs a classification model",
    "--at=3": "needs a model of the time to an event",
    "--interval=0.9": "needs a regression model",
    "--prediction-set=0.9": "needs a classification model",
}
"""The options of predict that are refused, with a part of the message."""
ELSEWHERE = {"head", "init", "generate_data", "train", "serve", "export", "threshold"}
"""Commands that know no answers, and those that have a test of their own here."""


class Commands:
    """`nncli` in a folder with a table and two runs, `one` of a network and `several` of three."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self.program = folder, programs / "nncli"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The completed command; all but a few take the file of code."""
        command = [str(self.program), *words]
        if words[0] not in ("runs"):
            command += ["--code", str(CODE)]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    folder = tmp_path_factory.mktemp("wind")
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, 2))
    columns = {"u": points[:, 0], "v": points[:, 1], "wind": degrees_of(points)}
    pl.DataFrame({name: column.round(2) for name, column in columns.items()}).write_csv(folder / "wind.csv")
    with warm_commands(tmp_path_factory.mktemp("commands")) as programs:
        found = Commands(folder, programs)
        for name, members in (("one", 1), ("several", 3)):
            settings = ("loss=angle", "layers=[16]", "epochs=40", f"members={members}", "seed=1")
            words = [word for setting in settings for word in ("--set", setting)]
            result = found.run("train", "wind.csv", "--target", "wind", *words, "-o", f"runs/{name}")
            assert result.returncode == 0, result.stderr
        yield found


@pytest.mark.parametrize("name", ["one", "several"])
@pytest.mark.parametrize("command", RUNS)
def test_a_command_takes_a_kind_of_one_file(commands: Commands, command: str, name: str) -> None:
    words = [word.replace("RUN", f"runs/{name}") for word in RUNS[command]]
    if command == "compare":
        words = [f"runs/{word}" for word in words]
    if "-o" in words and command != "share":
        words[words.index("-o") + 1] += name

    result = commands.run(command.replace("_", "-"), *words)

    assert result.returncode == 0, result.stderr


def test_every_command_is_tried() -> None:
    assert RUNS.keys() | ELSEWHERE == COMMANDS.keys()


@pytest.mark.parametrize("name", ["one", "several"])
def test_it_is_scored_by_the_nearest_turn(commands: Commands, name: str) -> None:
    scores = json.loads(commands.run("evaluate", f"runs/{name}", "wind.csv", "--json").stdout)["metrics"]
    commands.run("predict", f"runs/{name}", "wind.csv", "-o", f"{name}.csv", "--force")

    actual = pl.read_csv(commands.folder / "wind.csv")["wind"].to_numpy()
    predicted = pl.read_csv(commands.folder / f"{name}.csv")["prediction"].to_numpy()
    turned = np.abs(predicted - actual)
    error = np.minimum(turned, 360.0 - turned)

    assert predicted.min() >= 0.0
    assert predicted.max() < 360.0
    assert scores["mae"] == pytest.approx(error.mean(), rel=1e-5)
    assert scores["rmse"] < 40.0


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_that_it_lacks_is_refused_in_its_words(commands: Commands, option: str) -> None:
    result = commands.run("predict", "runs/one", "wind.csv", option)

    assert (result.returncode, result.stdout) == (2, "")
    assert OPTIONS[option] in result.stderr
    assert "Leave it out." in result.stderr


@pytest.mark.parametrize("target", ["onnx", "js", "c", "python", "html"])
def test_what_no_program_computes_is_not_exported(commands: Commands, target: str) -> None:
    result = commands.run("export", "runs/one", "--to", target, "-o", "model.out")

    assert result.returncode == 2
    assert not (commands.folder / "model.out").exists()


def test_it_has_no_threshold(commands: Commands) -> None:
    assert commands.run("threshold", "runs/one").returncode == 2


def test_it_is_served_with_its_pages(commands: Commands) -> None:
    server = subprocess.Popen(
        [commands.program, "serve", "runs/several", "--port", "0", "--code", str(CODE)],
        cwd=commands.folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        address = next(word for line in server.stderr for word in line.split() if word.startswith("http://"))
        for page in ("", "docs", "openapi.json", "metrics"):
            urllib.request.urlopen(f"{address.rstrip('/')}/{page}").close()
        body = json.dumps({"u": -1.0, "v": 0.0}).encode()
        request = urllib.request.Request(
            f"{address.rstrip('/')}/predict?effects=true", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as response:
            answer: Mapping[str, float] = json.load(response)
        assert abs(answer["prediction"] - 180.0) < 45.0
    finally:
        server.terminate()
        server.communicate()


def test_the_mean_of_angles_is_that_of_their_points() -> None:
    points = Angle(names=("wind",)).encode(np.array([[359.0], [1.0]])).mean(axis=0, keepdims=True)

    assert nearest(points, np.zeros((1, 1))) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("name", ["r2", "mape"])
def test_a_metric_that_depends_on_where_zero_is_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        Angle(names=("wind",)).metric(name)
