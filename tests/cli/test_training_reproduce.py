"""`nncli reproduce` on the command line."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

from nncli import train
from nncli.analysis.reproduction.reproduction import PREFIX
from tests.analysis.reproduction.support import copied, edited
from tests.api.ensembles import written
from tests.cli.support import SECONDS, Cli, start


def test_the_answer_names_the_checks_and_the_verdict(nncli: Cli, penguins: Path) -> None:
    done = nncli("reproduce", penguins).check()
    names = {line.split("  ")[0] for line in done.out.splitlines() if line}
    checks = {
        "table",
        "configuration",
        "nncli",
        "nncli code",
        "python",
        "numpy",
        "polars",
        "BLAS kernel",
        "processor",
        "backend",
    }
    files = {"history.csv of 8 epochs", "model.safetensors", "model.json", "metrics.json", "held_out.safetensors"}
    files |= {"reference.safetensors"}
    assert names == {"check", *checks, "compared", *files, "identical to the bit"}
    assert "epoch 1/8" in done.err


def test_the_json_is_one_object_and_quiet_says_nothing_else(nncli: Cli, penguins: Path) -> None:
    done = nncli("reproduce", penguins, "--quick", 2, "--json", "-q").check()
    said = json.loads(done.out)
    assert done.err == ""
    assert {name: said[name] for name in ("verdict", "exit_code", "difference", "first_epoch", "causes", "quick")} == {
        "verdict": "identical",
        "exit_code": 0,
        "difference": 0.0,
        "first_epoch": None,
        "causes": [],
        "quick": 2,
    }
    assert {check["kind"] for check in said["checks"]} == {"table", "version", "machine", "configuration", "file"}
    assert not any(check["differs"] for check in said["checks"])
    assert said["comparisons"] == [
        {
            "file": "history.csv",
            "identical": True,
            "difference": 0.0,
            "changed": False,
            "where": None,
            "epochs": 2,
            "first_epoch": None,
        }
    ]


def test_a_difference_ends_with_its_exit_code(nncli: Cli, penguins: Path, tmp_path: Path) -> None:
    run = copied(penguins, tmp_path)
    edited(run, "learning_rate=0.04")
    done = nncli("reproduce", run, "-q").check(1)
    assert done.out.splitlines()[-1].startswith("differs from epoch 1 on (")
    assert "config.yaml" in done.out
    assert json.loads(nncli("reproduce", run, "-q", "--json").check(1).out)["exit_code"] == 1


def test_the_files_of_networks_that_are_the_same_have_one_line(nncli: Cli, tmp_path: Path) -> None:
    run = train(written(tmp_path, "members=2", "epochs=1"), output=tmp_path / "run").run
    out = nncli("reproduce", run, "-q").check().out
    assert "history.csv of 2 networks" in out
    assert "members/1" not in out


def test_what_is_no_run_is_an_error(nncli: Cli, here: Path) -> None:
    nncli("reproduce", here / "nowhere").check(5)
    nncli("reproduce").check(2)


def test_a_signal_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    config = written(tmp_path, "members=1", "epochs=1")
    run = train(config, output=tmp_path / "run").run
    edited(run, "epochs=100000")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with start("reproduce", run, env={"TMPDIR": str(temporary)}) as process:
        assert process.stderr
        while b"epoch 1/" not in process.stderr.readline():
            assert process.poll() is None
        assert [*temporary.glob(f"{PREFIX}*")]
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS)
    assert time.monotonic() - asked < 20.0
    assert process.returncode == 130
    assert (out, b"Traceback" in err) == (b"", False)
    assert b"the run is as it was" in err
    assert not [*temporary.iterdir()]
