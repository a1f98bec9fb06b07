"""`nncli init` on the command line, and the one-line form of `nncli train`."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

import pytest

from nncli.config.loading import load_config
from nncli.run_directory.manifest import CONFIG, WEIGHTS
from tests.cli.support import COMMAND, DATA, ROOT, Cli, run

TABLE = "rowid,x,y\n" + "".join(f"{i},{i * 37 % 11},{i * 37 % 11 + 0.5}\n" for i in range(40))
SMALL = ("--set", "layers=[4]", "--set", "epochs=2")


@pytest.fixture
def table(here: Path) -> str:
    (here / "t.csv").write_text(TABLE)
    return "t.csv"


def test_the_yaml_goes_to_stdout_and_the_talk_to_stderr(nncli: Cli, table: str) -> None:
    done = nncli("init", table, "--target", "y").check()
    assert done.out.startswith("# t.csv: 40 rows, 3 columns.\n")
    assert done.err == "note: dropped 'rowid': a different value in every row\n"
    assert nncli("init", table, "--target", "y", "-q").check().err == ""


def test_a_file_is_written_and_the_next_command_named(nncli: Cli, table: str, here: Path) -> None:
    done = nncli("init", table, "--target", "y", "-o", "my config.yaml").check()
    assert done.out == ""
    assert done.err.endswith("next: nncli train 'my config.yaml'\n")
    assert load_config("my config.yaml").data.drop == ("rowid",)
    assert "--force" in nncli("init", table, "--target", "y", "-o", "my config.yaml").check(2).err
    nncli("init", table, "--target", "y", "-o", "my config.yaml", "--force", "--quality", "fast").check()
    assert load_config("my config.yaml").members == 4


def test_what_is_written_trains_through_a_pipe(here: Path, table: str) -> None:
    line = '"$@" init t.csv --target y --preset textbook --set layers=[4] --set epochs=2 | "$@" train - -q'
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line, "-", *COMMAND],
        cwd=here,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"runs/t\n"
    assert load_config(here / "runs" / "t" / CONFIG).data.drop == ("rowid",)


def test_the_json_says_what_was_found_of_each_column(nncli: Cli, here: Path) -> None:
    rows = "".join(f"k{i},{i % 7},{'NA' if i % 5 == 0 else i * 1.5},c,{i % 2}\n" for i in range(40))
    (here / "t.csv").write_text(f"id,few,number,same,y\n{rows}")
    done = nncli("init", "t.csv", "--target", "y", "--json").check()
    assert done.out.count("\n") == 1
    result = json.loads(done.out)
    assert {item["name"]: item["use"] for item in result["columns"]} == {
        **{"y": "target", "few": "feature", "number": "feature"},
        **{"id": "dropped", "same": "dropped"},
    }
    of = {item["name"]: item for item in result["columns"]}
    assert of["id"]["reason"] == "a different value in every row"
    assert (of["number"]["missing"], of["number"]["min"], of["number"]["kind"]) == (8, 1.5, "numeric")
    assert of["same"]["top_values"] == [{"value": "c", "count": 40}]
    assert (result["rows"], result["task"], result["output"]) == (40, "classification", None)
    assert result["yaml"] == nncli("init", "t.csv", "--target", "y", "-q").check().out


def test_with_json_the_file_is_written_all_the_same(nncli: Cli, table: str) -> None:
    done = nncli("init", table, "--target", "y", "-o", "c.yaml", "--json").check()
    result = json.loads(done.out)
    assert result["output"] == "c.yaml"
    assert Path("c.yaml").read_text("utf-8") == result["yaml"]
    assert done.err.endswith("next: nncli train c.yaml\n")


def test_a_missing_target_is_guessed_at(nncli: Cli, table: str) -> None:
    for command in ("init", "train"):
        done = nncli(command, table).check(2)
        assert "Try --target y. The columns are 'rowid', 'x' and 'y'." in done.err
        assert done.out == ""


def test_a_table_from_a_pipe_is_drafted_trained_and_resumed_as_from_its_file(
    nncli: Cli, here: Path, table: str
) -> None:
    words = ("-t", "y", "--quality", "fast", "--set", "epochs=2", "-q")
    compressed = gzip.compress((here / table).read_bytes())
    drafted = nncli("init", "-", "-t", "y", stdin=compressed).check().out
    assert 'path: "-"' in drafted
    file = nncli("train", table, *words).check().path
    pipe = nncli("train", "-", *words, stdin=compressed).check()
    assert pipe.out == "runs/stdin\n"
    for weights in file.glob(f"members/*/{WEIGHTS}"):
        assert weights.read_bytes() == (pipe.path / weights.relative_to(file)).read_bytes()
    nncli("train", "--resume", pipe.path, "--set", "epochs=3", stdin=(here / table).read_bytes()).check()
    nncli("train", "--resume", pipe.path, "--set", "epochs=4", stdin=b"x,y\n1,2\n").check(4)


def test_several_trainings_read_a_table_from_a_pipe(nncli: Cli, here: Path, table: str) -> None:
    content = (here / table).read_bytes()
    words = ("-", "-t", "y", "--quality", "fast", "--set", "epochs=1", "--folds", 2)
    nncli("cross-validate", *words, stdin=content).check()
    nncli("tune", *words, "--trials", 1, stdin=content).check()
    nncli("check", "-", "-t", "y", stdin=content).check()


def test_a_table_trains_in_one_line(nncli: Cli, table: str, here: Path) -> None:
    done = nncli("train", table, "--target", "y", *SMALL).check()
    assert done.out == "runs/t\n"
    assert "note: dropped 'rowid'" in done.err
    assert "nncli init t.csv --target y --set 'layers=[4]' --set epochs=2 -o config.yaml" in done.err
    config = load_config(here / "runs" / "t" / CONFIG)
    assert (config.data.path, config.epochs, config.data.features) == (str(here / "t.csv"), 2, ("x",))


def test_one_line_and_two_are_the_same_training(nncli: Cli, table: str, here: Path) -> None:
    nncli("init", table, "--target", "y", "-o", "c.yaml").check()
    nncli("train", "c.yaml", *SMALL, "-q", "-o", "runs/two").check()
    nncli("train", table, "--target", "y", *SMALL, "-q", "-o", "runs/one").check()
    weights = [(here / "runs" / name / "model.safetensors").read_bytes() for name in ("one", "two")]
    assert weights[0] == weights[1]


def test_a_run_of_one_line_goes_on(nncli: Cli, table: str) -> None:
    nncli("train", table, "--target", "y", *SMALL, "-q").check()
    assert nncli("train", "--resume", "runs/t", "--set", "epochs=3", "-q").check().out == "runs/t\n"
    assert "Remove --target" in nncli("train", "--resume", "runs/t", "--target", "y").check(2).err


def test_a_configuration_takes_no_target(nncli: Cli, here: Path) -> None:
    assert "data.target" in nncli("train", "c.yaml", "--target", "y").check(2).err


def test_a_table_of_another_dialect_is_told_by_set(nncli: Cli, here: Path) -> None:
    (here / "t.csv").write_bytes("größe|y\n".encode("cp437") + b"".join(b"%d|%d.5\n" % (i, i) for i in range(30)))
    assert "data.encoding" in nncli("train", "t.csv", "--target", "y").check(4).err
    nncli("train", "t.csv", "--target", "y", "--set", "data.encoding=cp437", *SMALL, "-q").check()


def test_the_sample_tables_begin_without_a_note(nncli: Cli) -> None:
    assert nncli("init", DATA / "penguins.csv", "-t", "species").check().err == ""


def test_help_starts_without_the_libraries(here: Path) -> None:
    assert "nncli init penguins.csv --target species -o config.yaml" in run("init", "--help", cwd=here).check().out


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["1,2"], "only 1 row has a target"),
        ([f"{i},{i + 0.5}" for i in range(5)], "only 5 rows have a target"),
        ([f"{i},7.5" for i in range(40)], "the target 'y' is '7.5' in all rows, so there is nothing to learn"),
    ],
)
def test_what_leaves_nothing_to_learn_is_said_also_to_who_wants_it_quiet(
    nncli: Cli, here: Path, rows: list[str], words: str
) -> None:
    (here / "few.csv").write_text("\n".join(["x,y", *rows, ""]))
    done = nncli("init", "few.csv", "--target", "y", "-q").check()
    assert f"warning: {words}" in done.err
    told = nncli("init", "few.csv", "--target", "y", "--json", "-q").check()
    assert any(words in warning for warning in json.loads(told.out)["warnings"])


def test_variables_of_kubernetes_are_passed_over_with_a_note(
    nncli: Cli, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNCLI_PORT", "tcp://10.0.0.1:80")
    done = nncli("train", table, "--target", "y", *SMALL).check()
    assert "note: ignored 'NNCLI_PORT': Kubernetes sets these variables" in done.err
