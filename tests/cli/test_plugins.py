"""`nncli plugins`, files of code and plugins of packages on the command line."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nncli.base import plugins
from nncli.base.plugins import KINDS
from tests.cli.support import DATA, ROOT, Cli, Outcome, run

FOCAL = ROOT / "examples" / "plugins" / "nncli-focal" / "nncli_focal.py"
TRAIN = ("train", str(DATA / "xor.csv"), "-t", "label", "--set", "layers=[4]", "--set", "epochs=2")


@pytest.fixture(autouse=True)
def _no_plugins() -> Iterator[None]:
    plugins.reset()
    yield
    plugins.reset()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder for packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


def run_with(site: Path, *words: str, **variables: str) -> Outcome:
    """Run a command as a process that has the packages in a folder."""
    return run(*words, env={"PYTHONPATH": f"{ROOT}{os.pathsep}{site}", **variables})


def install(site: Path, package: str, content: str, entry: str) -> None:
    """A package with one module and one entry point, such as `nncli.losses: focal = X`."""
    about = site / f"{package}-1.0.dist-info"
    about.mkdir()
    group, _, name = entry.partition(": ")
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{name.partition(' = ')[0]} = {package}_module:PART\n")
    (site / f"{package}_module.py").write_text(content)


def test_the_list_has_our_own_parts_and_those_of_files(nncli: Cli) -> None:
    listed = json.loads(nncli("plugins", "--code", str(FOCAL), "--json").check().out)["plugins"]

    assert [(item["name"], item["kind"], item["state"]) for item in listed if item["kind"] != "commands"] == [
        ("focal", "losses", "ready"),
        ("avro", "formats", "ready"),
        *((name, "exports", "ready") for name in ("c", "html", "js", "onnx", "python")),
        ("mlflow", "trackers", "ready"),
        ("tensorboard", "trackers", "ready"),
    ]
    assert "tensorboard" in nncli("plugins").check().out


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_passes_the_check(nncli: Cli, tmp_path: Path, kind: str) -> None:
    folder = nncli("plugins", "new", kind, "mypart", "-o", str(tmp_path / "new")).check().path

    assert {path.name for path in folder.iterdir()} == {"pyproject.toml", "README.md", "nncli_mypart.py", "tests"}
    checks = json.loads(nncli("plugins", "check", str(folder / "nncli_mypart.py"), "--json").check().out)["checks"]
    assert checks[0]["name"] == "mypart"
    assert all(step["passed"] is not False for checked in checks for step in checked["steps"])


@pytest.mark.parametrize(
    "words",
    [
        *(("lossy", "x"), ("loss", "My-Loss"), ("loss", "x", "-o", "."), ("loss", "none"), ("loss", "literal")),
        *(("loss", "mse"), ("metric", "accuracy"), ("source", "sqlite"), ("format", "csv"), ("command", "train")),
        *(("sampler", "tpe"), ("export", "onnx"), ("layer", "dense"), ("encoder", "categorical")),
    ],
)
def test_a_package_that_cannot_be_written_is_a_usage_error(
    nncli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    nncli("plugins", "new", *words).check(2)
    assert not [*tmp_path.iterdir()]


def test_a_command_with_the_name_of_one_of_nncli_is_not_ready(site: Path) -> None:
    install(
        site, "trains", "from nncli.extend import Command\nPART = Command('train', print)\n", "nncli.commands: train"
    )

    listed = json.loads(run_with(site, "plugins", "--json").check().out)["plugins"]

    (state,) = (item["state"] for item in listed if item["name"] == "train")
    assert "is built in" in state


@pytest.mark.parametrize(
    ("old", "new", "step"),
    [
        ("np.tanh(dZ, out=dZ)", "np.sinh(dZ, out=dZ)", "gradient in float64"),
        ("np.negative(V, out=S)", "S[...] = -V", "no allocation in a step"),
    ],
)
def test_a_wrong_part_fails_with_exit_code_1(nncli: Cli, tmp_path: Path, old: str, new: str, step: str) -> None:
    folder = nncli("plugins", "new", "loss", "wrong", "-o", str(tmp_path / "new")).check().path
    file = folder / "nncli_wrong.py"
    source = file.read_text()
    assert old in source
    file.write_text(source.replace(old, new))

    (checked,) = json.loads(nncli("plugins", "check", str(file), "--json").check(1).out)["checks"]

    assert step in [item["name"] for item in checked["steps"] if item["passed"] is False]


def test_a_run_with_code_predicts_resumes_and_is_exported_with_the_same_file_alone(nncli: Cli, tmp_path: Path) -> None:
    path, table = str(tmp_path / "run"), str(DATA / "xor.csv")
    nncli(*TRAIN, "--code", str(FOCAL), "--set", "loss=focal", "-o", path).check()
    plugins.reset()

    assert "--code" in nncli("predict", path, table).check(5).err
    assert "--code" in nncli("train", "--resume", path, "--set", "epochs=3").check(5).err
    assert "--code" in nncli("show", path).check(5).err
    assert nncli("runs", str(tmp_path)).check().out
    for words in (("predict", path, table), ("show", path), ("explain", path, table), ("export", path, "--to", "c")):
        nncli(
            *words, "--code", f"{path}/code/nncli_focal.py", *(("-o", f"{path}.c") if "--to" in words else ())
        ).check()
    nncli("train", "--resume", path, "--set", "epochs=3", "--code", str(FOCAL)).check()
    plugins.reset()
    other = tmp_path / "focal.py"
    other.write_text(FOCAL.read_text().replace("gamma: NonNegativeFloat = 2.0", "gamma: NonNegativeFloat = 3.0"))
    assert "another one" in nncli("predict", path, table, "--code", str(other)).check(5).err


def test_a_shared_run_keeps_its_code(nncli: Cli, tmp_path: Path) -> None:
    path = str(tmp_path / "run")
    nncli(*TRAIN, "--code", str(FOCAL), "--set", "loss=focal", "-o", path).check()

    nncli("reproduce", path).check()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "run" / "code" / FOCAL.name).unlink()
    (tmp_path / "run" / "code" / FOCAL.name).symlink_to(tmp_path / "secret")
    nncli("share", path, "-o", str(tmp_path / "shared.zip")).check()

    with zipfile.ZipFile(tmp_path / "shared.zip") as archive:
        (copy,) = [name for name in archive.namelist() if name.endswith(f"code/{FOCAL.name}")]
        assert archive.read(copy) == FOCAL.read_bytes()


def test_a_drafted_configuration_names_the_file_of_code(nncli: Cli, tmp_path: Path) -> None:
    table, config = str(DATA / "xor.csv"), tmp_path / "c.yaml"
    nncli("init", table, "-t", "label", "--code", str(FOCAL), "--set", "loss=focal", "-o", str(config)).check()
    plugins.reset()

    assert str(FOCAL) in config.read_text()
    nncli("train", str(config), "--set", "layers=[4]", "--set", "epochs=2", "-o", str(tmp_path / "run")).check()


def test_a_search_proposes_the_keys_of_a_plugin(nncli: Cli, tmp_path: Path) -> None:
    words = ("--trials", "2", "--folds", "2", "--set", "workers=1", "--search", "loss.gamma=0.5..3", "--json")
    search = (*TRAIN[1:], "--code", str(FOCAL), "--set", "loss={type: focal, gamma: 1}", *words)

    nncli("tune", *search, "-o", str(tmp_path / "tuned")).check()


def test_the_commands_that_follow_a_training_are_told_with_its_file_of_code(nncli: Cli, tmp_path: Path) -> None:
    table = str(DATA / "xor.csv")
    trained = nncli(*TRAIN, "--code", str(FOCAL), "--set", "loss=focal", "-o", str(tmp_path / "run")).check()
    assert re.search(rf"these commands need --code .*{FOCAL.name}", trained.err)
    plugins.reset()
    without = nncli(*TRAIN, "--code", str(FOCAL), "-o", str(tmp_path / "other")).check()
    assert "these commands need" not in without.err
    plugins.reset()
    assert "--code" not in nncli("init", table, "-t", "label", "-o", str(tmp_path / "c.yaml")).check().err


def test_a_command_of_a_package_is_one_of_nncli(site: Path) -> None:
    source = """
from nncli.extend import Command


def hello(name: str) -> None:
    '''Say hello.'''
    print("hello", name)


PART = Command("hello", hello)
"""
    install(site, "greetings", source, "nncli.commands: hello")

    assert run_with(site, "hello", "you").check().out == "hello you\n"
    assert "hello" not in run_with(site, "--help").check().out
    run_with(site, "hello", "you", NNCLI_PLUGINS="").check(2)


def test_a_broken_package_is_a_warning_and_an_unknown_name(site: Path) -> None:
    install(site, "broken", "raise RuntimeError('no license')\n", "nncli.losses: shaky")

    shown = run_with(site, *TRAIN, "--set", "loss=shaky", "-o", str(site / "run")).check(3)

    assert "warning: the loss 'shaky' of the package broken is skipped: RuntimeError: no license" in shown.err
    states = {
        item["name"]: item["state"] for item in json.loads(run_with(site, "plugins", "--json").check().out)["plugins"]
    }
    assert states["shaky"] == "RuntimeError: no license"
    run_with(site, *TRAIN, "-o", str(site / "run")).check()


def test_parts_beside_the_training_are_used_by_their_names(
    nncli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = []
    for kind in ("source", "format", "export", "tracker", "sampler"):
        nncli("plugins", "new", kind, f"x{kind}").check()
        code += ["--code", f"nncli-x{kind}/nncli_x{kind}.py"]
    table, quick = "xsource://100", ("--set", "preset=textbook", "--set", "layers=[4]", "--set", "epochs=2")

    nncli("train", table, "-t", "y", *quick, *code, "--track", "xtracker=m.jsonl", "-o", "run").check()
    nncli("train", "--resume", "run", "--set", "epochs=3", *code).check()
    nncli("predict", "run", "xsource://5", *code, "-o", "out.xformat").check()
    nncli("export", "run", "-o", "run.listing", *code).check()
    Path("c.yaml").write_text(
        f"data: {{path: {DATA}/xor.csv, target: label}}\nlayers: [4]\nepochs: 2\nworkers: 1\n"
        "tune: {sampler: xsampler, trials: 3, folds: 2, search: {l2: {from: 0.0001, to: 0.1, scale: log}}}\n"
    )
    nncli("tune", "c.yaml", *code, "-o", "tuned").check()

    assert json.loads(Path("m.jsonl").read_text().splitlines()[-1])["run"] == "run"
    assert len(json.loads(Path("out.xformat").read_text())) == 5
    assert "MatMul" in Path("run.listing").read_text()
    plugins.reset()
    assert "tune.sampler" in nncli("tune", "c.yaml", "-o", "again").check(3).err
    nncli("predict", "run", "xsource://5").check(2)


RAISING = {
    "metric": ("return float(", "y.nothing", "y: float64 array (", "--set metric=mypart"),
    "loss": ("S, scale, log_2 = ", "Z.nothing", "Z: float32 array (", "--set loss=mypart"),
    "layer": ("return BoundLayer(", "X.nothing", "X: float32 array (", "--set layers=[mypart,4]"),
    "format": ("try:", "stream.nothing", "options: ReadOptions", ""),
}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", RAISING)
def test_an_exception_of_a_part_names_it_with_its_file_its_line_and_what_it_was_given(
    nncli: Cli, tmp_path: Path, kind: str, workers: int
) -> None:
    folder = nncli("plugins", "new", kind, "mypart", "-o", str(tmp_path / "new")).check().path
    file, (anchor, fault, given, words) = folder / "nncli_mypart.py", RAISING[kind]
    lines = file.read_text().splitlines()
    (line,) = (i for i, text in enumerate(lines) if text.strip().startswith(anchor))
    lines.insert(line, lines[line][: -len(lines[line].lstrip())] + fault)
    file.write_text("\n".join(lines) + "\n")
    table = tmp_path / f"table.{'mypart' if kind == 'format' else 'csv'}"
    table.write_bytes((DATA / "linear.csv").read_bytes())

    quick = ("--set", "members=2", "--set", f"workers={workers}", "--set", "epochs=3", "-o", str(tmp_path / "run"))
    shown = nncli("train", str(table), "-t", "y", "--code", str(file), *quick, *words.split()).check(1).err

    assert f"{file}:{line + 1}: the " in shown
    assert "'mypart'" in shown
    assert "has no attribute 'nothing'" in shown
    assert given in shown
