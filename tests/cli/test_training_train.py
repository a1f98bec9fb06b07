"""`nncli train` on the command line: what goes where, Ctrl-C, terminals, and trainings that fail."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from nncli.run_directory.config import read_config
from nncli.run_directory.manifest import HISTORY, MANIFEST, METRICS, MODEL, WEIGHTS
from tests.cli.support import (
    COMMAND,
    DATA,
    ROOT,
    SECONDS,
    Cli,
    on_terminal,
    run,
    start,
    wait_for_epochs,
    wait_until_idle,
)

FAST = "learning_rate: 0.1\nbatch_size: 8\n"
"""Better than the baseline after three epochs."""
CONFIG = f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: [4]\nepochs: 3\nvalidation: 0.3\n{FAST}"
PINNED = """\
note: to edit this configuration: nncli init t.csv --target y --set 'layers=[4]' --set epochs=1 -o config.yaml
note: dropped 'id': a different value in every row
warning: only 8 validation rows: scores on so few are mostly chance. Add rows, increase validation, or use \
nncli cross-validate, which scores every row.
warning: 8 validation rows are equal to training rows, target included (100 %; for example row 7 and row 15): \
if they are copies, validation scores are too optimistic. Remove copies; keep different cases with equal values.
epoch 1/1 loss N val_loss N accuracy N best val_loss N at 1 learning rate N N s left
32 training rows, 8 validation rows, 1 feature, 13 parameters, best epoch 1 of 1 by val_loss, N s
 validation 95% interval baseline training
accuracy N N to N N N
balanced_accuracy N N to N N N
macro_f1 N N to N N N
roc_auc N N to N N N
log_loss N N to N N N
brier N N to 2 N N
calibration_error N – – N
f1 of yes N N to N 0 N
precision of yes N N to N 0 N
recall of yes 1 N to 1 0 1
average_precision of yes N N to N N N
validation: each row at the epoch that other rows choose
warning: the model never predicts class 'no', which 4 of the validation rows have. Choose another threshold: nncli \
threshold RUN --f1 --positive no --save.
warning: the model is no better than the baseline, the class shares of the training rows: log_loss N against N on \
the validation rows. Check that the columns tell about the target, or add rows or columns.
next: nncli threshold runs/t --f1 --positive no --save
next: nncli report runs/t, or nncli predict runs/t NEW_TABLE
"""
"""What a small training prints on stderr, with N for numbers that have a fraction."""
ENDLESS = ("--set", "epochs=100000000")


@pytest.fixture
def config(here: Path) -> Path:
    path = here / "c.yaml"
    path.write_text(CONFIG)
    return path


def status(run_directory: Path) -> str:
    return str(json.loads((run_directory / MANIFEST).read_text())["status"])


def test_stdout_is_the_run_directory_s_path_alone(config: Path, here: Path) -> None:
    done = run("train", "c.yaml", cwd=here).check()
    assert done.out == "runs/c\n"
    assert (here / "runs" / "c" / WEIGHTS).is_file()
    assert "epoch 3/3" in done.err
    assert "training rows" in done.err
    assert "baseline" in done.err
    assert "\x1b" not in done.err
    assert "\r" not in done.err


def test_a_report_may_be_written_with_the_run(nncli: Cli, config: Path) -> None:
    pytest.importorskip("matplotlib")
    done = nncli("train", config, "--report", "-o", "runs/a b").check()
    assert done.out == "runs/a b\n"
    assert (done.path / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert (done.path / "report.md").is_file()
    assert "report: runs/a b/report.html" in done.err
    assert "next: nncli predict 'runs/a b' NEW_TABLE" in done.err
    assert nncli("train", config, "--report", "-q").check().err == ""


def test_the_end_says_what_to_do_next(nncli: Cli, config: Path) -> None:
    done = nncli("train", config).check()
    assert done.err.endswith("next: nncli report runs/c, or nncli predict runs/c NEW_TABLE\n")


def test_the_shell_catches_the_path(config: Path, here: Path) -> None:
    line = 'RUN=$("$@" train c.yaml -q) && "$@" predict -q "$RUN" "$TABLE" | head -n 1'
    env = os.environ | {"TABLE": str(DATA / "linear.csv"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", line, "-", *COMMAND], cwd=here, env=env, capture_output=True, check=True)
    assert done.stdout == b"prediction\n"
    assert done.stderr == b""


def test_an_existing_run_is_never_overwritten(nncli: Cli, config: Path) -> None:
    assert [nncli("train", config, "-q").check().out for _ in range(3)] == ["runs/c\n", "runs/c-2\n", "runs/c-3\n"]
    before = {path.name: path.stat().st_mtime_ns for path in Path("runs/c").iterdir()}
    assert "--force" in nncli("train", config, "-q", "-o", "runs/c").check(2).err
    assert {path.name: path.stat().st_mtime_ns for path in Path("runs/c").iterdir()} == before
    assert {path.name for path in Path("runs").iterdir()} == {"c", "c-2", "c-3"}


def test_force_replaces_the_run_and_nothing_else(nncli: Cli, config: Path) -> None:
    nncli("train", config, "-q", "-o", "runs/c").check()
    (Path("runs/c") / "old").touch()
    assert nncli("train", config, "-q", "-o", "runs/c", "--force").check().out == "runs/c\n"
    assert not (Path("runs/c") / "old").exists()
    assert {path.name for path in Path("runs").iterdir()} == {"c"}
    nncli("predict", "runs/c", DATA / "linear.csv").check()
    nncli("train", config, "-q", "-o", "runs", "--force").check(2)
    nncli("train", "--resume", "runs/c", "--force").check(2)
    nncli("predict", "runs/c", DATA / "linear.csv").check()


def test_the_old_run_stays_if_the_table_cannot_be_read(nncli: Cli, here: Path, config: Path) -> None:
    nncli("train", config, "-q", "-o", "runs/c").check()
    (here / "broken.csv").write_text("x1,x2\n")
    nncli("train", config, "-q", "-o", "runs/c", "--force", "--set", "data.path=broken.csv").check(4)
    nncli("predict", "runs/c", DATA / "linear.csv").check()


def test_how_a_table_was_read_is_told_once(nncli: Cli, here: Path) -> None:
    (here / "t.csv").write_text("x;y\n" + "".join(f"{i},5;{i % 7},5\n" for i in range(40)))
    done = nncli("train", "t.csv", "--target", "y", "--set", "layers=[4]", "--set", "epochs=2").check()
    assert done.err.count("read with separator ';' and decimal comma") == 1


def test_a_run_to_go_on_with_needs_no_configuration(nncli: Cli, config: Path) -> None:
    assert "Remove 'c.yaml'." in nncli("train", "c.yaml", "--resume", "runs/c").check(2).err
    assert "nncli train TABLE --target COLUMN" in nncli("train").check(2).err


def test_quiet_shows_nothing_but_errors(nncli: Cli, config: Path) -> None:
    assert nncli("train", config, "--quiet").check().err == ""
    assert nncli("train", config, "--quiet", "--set", "epochs=0").check(3).err


def test_set_overrides_and_may_be_repeated(nncli: Cli, config: Path) -> None:
    done = nncli("train", config, "-q", "--set", "epochs=2", "--set", "optimizer.type=lion", "--set", "layers=[3, 2]")
    written = (done.check().path / "config.yaml").read_text()
    assert "\nepochs: 2\n" in written
    assert "type: lion" in written


def test_a_configuration_from_stdin_is_relative_to_the_working_directory(nncli: Cli, here: Path) -> None:
    (here / "t.csv").write_bytes((DATA / "linear.csv").read_bytes())
    done = nncli(
        "train", "-", "-q", "--set", "epochs=1", stdin=b"data: {path: t.csv, target: y}\nlayers: [4]\nepochs: 50"
    ).check()
    assert done.out == "runs/stdin\n"
    assert json.loads((done.path / MANIFEST).read_text())["epochs"] == 1


def test_a_configuration_works_from_any_working_directory(
    nncli: Cli, config: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "t.csv").write_bytes((DATA / "linear.csv").read_bytes())
    config.write_text("data: {path: t.csv, target: y}\nlayers: [4]\nepochs: 1\nvalidation: {path: ./t.csv}")
    (here / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(here / "deep" / "er")
    nncli("train", "../../c.yaml", "-q").check()
    assert (here / "deep" / "er" / "runs" / "c" / MODEL).is_file()


def test_a_quality_is_that_of_the_preset(nncli: Cli, here: Path) -> None:
    words = ("train", DATA / "penguins.csv", "--target", "species", "--quality", "fast", "--set", "epochs=1", "-q")
    run = nncli(*words).check().path
    assert "members: 4" in (run / "config.yaml").read_text()
    assert "only the preset tabular" in nncli(*words, "--set", "layers=[4]").check(3).err
    assert "Remove --quality" in nncli("train", "--resume", run, "--quality", "fast").check(2).err


def test_a_sigmoid_that_cannot_reach_its_targets_is_told(nncli: Cli, config: Path) -> None:
    done = nncli("train", config, "--set", "output_activation=sigmoid").check()
    assert "a sigmoid output lies between 0 and 1 and cannot reach" in done.err


def test_the_command_line_is_in_the_manifest(nncli: Cli, config: Path) -> None:
    done = nncli("train", config, "-q", "--set", "epochs=1")
    said = json.loads((done.path / MANIFEST).read_text())["command"]
    assert said[1:] == ["train", str(config), "-q", "--set", "epochs=1"]


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode")
def test_a_configuration_whose_name_is_not_utf_8(here: Path) -> None:
    name = os.fsdecode(b"\xff.yaml")
    Path(name).write_text(CONFIG)
    run("train", name, cwd=here).check(2)
    assert run("train", name, "-q", "-o", "good", cwd=here).check().out == "good\n"


def test_without_standard_input_there_is_a_message(config: Path, penguins: Path) -> None:
    for words in ("train -", f"predict {penguins}", f"evaluate {penguins} -"):
        line = f'exec "$@" {words} <&-'
        done = subprocess.run(["bash", "-c", line, "-", *COMMAND], cwd=ROOT, capture_output=True, check=False)
        assert done.returncode == 2
        assert b"standard input is closed" in done.stderr


# --- trainings that go wrong


def test_a_training_that_diverges_before_any_epoch_keeps_nothing(nncli: Cli, config: Path) -> None:
    done = nncli("train", config, "--set", "optimizer=sgd", "--set", "learning_rate=1e20").check(1)
    assert done.out == ""
    assert "nothing was kept" in done.err
    assert "runs/c: the loss became" in done.err
    assert "learning_rate" in done.err
    assert status(Path("runs/c")) == "failed"
    assert not Path("runs/c", WEIGHTS).exists()
    assert "has not finished, or failed" in nncli("predict", "runs/c", DATA / "linear.csv").check(5).err


def test_a_training_that_diverges_later_keeps_its_best_epoch(nncli: Cli, config: Path) -> None:
    later = "learning_rate={type: exponential, peak: 0.1, decay: 0.999, warmup_steps: 100}"
    done = nncli(
        "train",
        config,
        *("--set", "optimizer={type: sgd, momentum: 0.9}", "--set", later, "--set", "layers=[]", "--set", "epochs=200"),
        *("--set", "learning_rate.peak=20.0", "--set", "learning_rate.warmup_steps=200"),
    ).check(1)
    assert "were kept" in done.err
    assert "runs/c: " in done.err
    assert status(Path("runs/c")) == "failed"
    predicted = nncli("predict", "runs/c", DATA / "linear.csv").check().out
    assert "nan" not in predicted.lower()
    assert "inf" not in predicted.lower()


@pytest.mark.parametrize("rate", ["1e25", "1e30"])
def test_a_last_step_that_ruins_the_weights_is_a_failure(nncli: Cli, config: Path, rate: str) -> None:
    sets = (f"learning_rate={rate}", "batch_size=full", "epochs=1", "validation=0")
    done = nncli("train", config, *(word for s in sets for word in ("--set", s))).check(1)
    assert "no longer a finite number; nothing was kept" in done.err
    assert not Path("runs/c", WEIGHTS).exists()
    assert status(Path("runs/c")) == "failed"


def test_a_network_beyond_memory_leaves_no_directory(nncli: Cli, config: Path, here: Path) -> None:
    assert "memory" in nncli("train", config, "--set", "layers=[1000000, 900000]").check(1).err
    assert not (here / "runs").exists()


# --- Ctrl-C


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_saves_and_says_how_to_go_on(nncli: Cli, config: Path, here: Path) -> None:
    with start("train", "c.yaml", *ENDLESS, cwd=here) as process:
        wait_for_epochs(process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert out == b"runs/c\n"
    assert b"Traceback" not in err
    assert b"nncli predict runs/c TABLE" in err
    assert b"nncli train --resume runs/c\n" in err
    assert status(here / "runs" / "c") == "stopped"
    assert json.loads((here / "runs" / "c" / METRICS).read_text())["training"]["metrics"]["rmse"] > 0
    assert nncli("predict", "runs/c", DATA / "linear.csv").check().out.count("\n") == 129


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_twice_stops_at_once_and_keeps_what_there_is(nncli: Cli, config: Path, here: Path) -> None:
    # One epoch of a huge batch takes long, so that the second signal finds it still under way.
    nncli("generate-data", "friedman1", "-n", 30_000, "-o", "big.csv").check()
    slow = ("--set", f"data.path={here}/big.csv", "--set", "batch_size=full", "--set", "layers=[400, 400]")
    with start("train", "c.yaml", *ENDLESS, *slow, cwd=here) as process:
        wait_for_epochs(process)
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert status(here / "runs" / "c") == "stopped"
    nncli("predict", "runs/c", here / "big.csv").check()


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("words", [("train", "-"), ("predict", "RUN", "-"), ("evaluate", "RUN", "-")], ids=str)
def test_ctrl_c_while_waiting_for_input_ends_at_once(penguins: Path, here: Path, words: tuple[str, ...]) -> None:
    with start(*(penguins if word == "RUN" else word for word in words), cwd=here) as process:
        wait_until_idle(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
        assert process.stderr
        assert process.stderr.read() == b"nncli: interrupted\n"
    assert not (here / "runs").exists()


# --- on a terminal


def test_progress_is_live_on_a_terminal(config: Path, here: Path) -> None:
    code, seen = on_terminal("train", "c.yaml", "--set", "epochs=1000", cwd=here)
    assert code == 0
    assert "\x1b[2K" in seen  # lines are redrawn
    assert "1000/1000" in seen
    for word in ("loss", "val_loss", "rmse", "best", "rate", "left", "baseline", "runs/c"):
        assert word in seen
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h")  # the cursor is shown again


def test_the_last_picture_stays_and_the_summary_comes_beneath(config: Path, here: Path) -> None:
    _, seen = on_terminal("train", "c.yaml", "--set", "epochs=40", cwd=here)
    last = seen[seen.rindex("epoch 40/40") :]
    for word in ("┤", "▲", "\x1b[36m", "best", "rows/s", "baseline", "runs/c", "next: "):
        assert word in last
    assert "\x1b[2K" not in last  # nothing is drawn over it
    assert last.index("▲") < last.index("baseline") < last.index("runs/c")


def test_without_colors_the_view_is_live_all_the_same(config: Path, here: Path) -> None:
    for words, env in (((), {"NO_COLOR": "1"}), ((), {"CLICOLOR": "0"}), (("--no-color",), {})):
        _, seen = on_terminal("train", "c.yaml", *words, cwd=here, env=env)
        assert "┤" in seen
        assert "\x1b[3" not in seen


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"CI": "true"}], ids=str)
def test_a_terminal_that_cannot_redraw_and_a_log_get_plain_lines(config: Path, here: Path, env: dict[str, str]) -> None:
    _, seen = on_terminal("train", "c.yaml", cwd=here, env=env)
    assert "epoch 3/3  loss" in seen
    assert "\x1b" not in seen


def test_a_low_terminal_has_no_curve(config: Path, here: Path) -> None:
    _, seen = on_terminal("train", "c.yaml", cwd=here, lines=5)
    assert "┤" not in seen
    assert "epoch 3/3" in seen


def test_a_narrow_terminal_cuts_no_figure_off(config: Path, here: Path) -> None:
    _, seen = on_terminal("train", "c.yaml", cwd=here, columns=30)
    assert "median_absolute_error" in seen


@pytest.mark.parametrize("typed", [b"\x03"])
def test_ctrl_c_typed_at_a_terminal_saves(config: Path, here: Path, typed: bytes) -> None:
    code, seen = on_terminal("train", "c.yaml", *ENDLESS, cwd=here, typed=typed)
    assert code == 130
    assert "nncli predict runs/c TABLE" in seen
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h")
    assert status(here / "runs" / "c") == "stopped"


@pytest.mark.parametrize("words", [("train", "-"), ("predict", "RUN"), ("evaluate", "RUN", "-")], ids=str)
def test_a_command_that_waits_for_the_terminal_says_so(penguins: Path, here: Path, words: tuple[str, ...]) -> None:
    code, seen = on_terminal(*(penguins if w == "RUN" else w for w in words), cwd=here, typed=b"\x03")
    assert code == 130
    assert "from the terminal" in seen
    assert "Ctrl-D" in seen


def test_a_configuration_typed_at_a_terminal_ends_with_ctrl_d(here: Path) -> None:
    code, seen = on_terminal("train", "-", "-q", cwd=here, typed=CONFIG.encode() + b"\x04")
    assert code == 0, seen
    assert seen.rstrip().endswith("runs/stdin")
    assert (here / "runs" / "stdin" / HISTORY).is_file()


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ("", "note: 'y' is treated as a class label (values 0 to 1). For regression: --set loss=mse."),
        ("loss: mse\n", "If these are classes, use --set loss=cross_entropy"),
        ("loss: cross_entropy\n", None),
    ],
)
def test_what_a_target_of_two_numbers_was_taken_for_is_said(
    nncli: Cli, here: Path, loss: str, said: str | None
) -> None:
    Path("t.csv").write_text("x,y\n" + "0.5,0\n1.5,1\n" * 30)
    Path("c.yaml").write_text(f"data: {{path: t.csv, target: y}}\nlayers: [4]\nepochs: 1\n{loss}")
    told = nncli("train", "c.yaml").check().err
    assert "classes" not in told if said is None else said in told


def test_predicting_with_a_failed_run_does_not_send_one_round_in_circles(nncli: Cli, config: Path) -> None:
    sets = ("learning_rate=1e30", "batch_size=full", "epochs=1", "validation=0")
    nncli("train", config, *(word for s in sets for word in ("--set", s))).check(1)
    told = nncli("predict", "runs/c", DATA / "linear.csv").check(5).err
    assert "lower learning_rate" in told
    assert "--resume" not in told


def test_the_whole_output_of_a_small_training(nncli: Cli, here: Path) -> None:
    rows = (f"{i},{i % 8},{'no' if i % 8 < 4 else 'yes'}" for i in range(40))
    (here / "t.csv").write_text("\n".join(["id,x,y", *rows]) + "\n")
    done = nncli("train", "t.csv", "-t", "y", "--set", "layers=[4]", "--set", "epochs=1").check()
    assert done.out == "runs/t\n"
    numbers_replaced = re.sub(r" +", " ", re.sub(r"\b\d+\.\d+\b", "N", done.err))
    assert numbers_replaced == PINNED


@pytest.mark.parametrize("command", ["init", "check", "train", "cross-validate", "tune"])
def test_every_command_that_trains_has_options_for_dropped_columns_and_the_seed(nncli: Cli, command: str) -> None:
    help_text = nncli(command, "--help").check().out
    assert "--drop" in help_text
    assert "--seed" in help_text


def test_dropped_columns_are_those_of_the_configuration_and_of_the_option(nncli: Cli, here: Path) -> None:
    (here / "t.csv").write_text("a,b,c,y\n" + "".join(f"{i % 7},{i % 5},{i % 3},{i / 9}\n" for i in range(60)))
    (here / "c.yaml").write_text("data: {path: t.csv, target: y, drop: [a]}\nlayers: [4]\nepochs: 1\nseed: 1\n")
    run = nncli("train", "c.yaml", "--drop", "b", "--seed", "7", "-q").check().path
    config = read_config(run)
    assert (config.data.drop, config.seed) == (("a", "b"), 7)
    words = ["--set", "preset=textbook", "--set", "epochs=1", "--drop", "b", "--drop", "c", "--seed", "7"]
    drafted = nncli("train", "t.csv", "-t", "y", *words).check()
    assert read_config(drafted.path).data.drop == ("b", "c")
    assert "--drop b --drop c --seed 7" in drafted.err
    assert nncli("train", "--resume", run, "--seed", "8").code == 2
