"""Help, version, exit codes and the way errors look."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nncli.base.errors import is_out_of_memory, reraise_out_of_memory
from nncli.version import __version__
from tests.cli.support import COMMAND, DATA, ROOT, Cli, run

COMMANDS = ("train", "tune", "predict", "evaluate", "runs", "compare", "generate-data")
TABLE = DATA / "penguins.csv"


def test_version() -> None:
    assert run("--version").check().out == f"nncli {__version__}\n"


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)], ids=str)
def test_help_of_everything(nncli: Cli, command: tuple[str, ...]) -> None:
    shown = nncli(*command, "--help").check()
    assert shown.out.startswith("Usage: nncli")
    assert not shown.err
    assert "\b" not in shown.out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_usage_line_has_each_bracket_once(nncli: Cli, command: str) -> None:
    assert "[[" not in nncli(command, "--help").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("init", "t.csv", "--quality", "rubbish"), "invalid value for '--quality': 'rubbish' is not one of 'fast', "),
        (("predict", "run", "--format", "xml"), "invalid value for '--format': 'xml' is not one of 'csv', 'parquet', "),
        (("serve", "a", "--port", "65536"), "invalid value for '--port': expected a number of at most 65535"),
        (("serve", "a", "--port", "-1"), "invalid value for '--port': expected a number of at least 0"),
        (("serve", "a", "--port", "http"), "invalid value for '--port': expected a whole number"),
        (("predict",), "missing argument 'RUN'"),
        (("brew",), "no such command 'brew'"),
    ],
)
def test_wrong_usage_is_worded_as_any_other_error(nncli: Cli, words: tuple[str, ...], said: str) -> None:
    first, second = nncli(*words).check(2).err.splitlines()
    assert first.startswith(f"nncli: {said}")
    assert second.startswith("  See `nncli ")
    assert second.endswith(" --help`.")


def test_help_names_every_command_and_exit_code(nncli: Cli) -> None:
    shown = nncli("--help").out
    for name in (*COMMANDS, "130"):
        assert name in shown


def test_the_shell_completes_a_command() -> None:
    env = {"_NNCLI_COMPLETE": "complete_bash", "COMP_WORDS": "nncli pre", "COMP_CWORD": "1"}
    assert run(env=env).check().out.strip() == "predict"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--version",), 0),
        (("train", "config.yaml", "-o", "file/run"), 1),
        ((), 2),
        (("predict",), 2),
        (("destroy",), 2),
        (("train", "config.yaml", "--debug"), 2),
        (("generate-data", "-n", "many"), 2),
        (("generate-data", "spiral"), 2),
        (("generate-data", "-o", "file"), 2),
        (("train", "config.yaml", "--set", "epochs"), 2),
        (("train", "config.yaml", "-o", "."), 2),
        (("train", "config.yaml", "-o", "/"), 2),
        (("train", "config.yaml", "-o", ".."), 2),
        (("train", "config.yaml", "-o", "new/.."), 2),
        (("train", str(TABLE), "-t", "species", "-o", ".."), 2),
        (("cross-validate", "config.yaml", "-o", "/"), 2),
        (("cross-validate", "config.yaml", "-o", ".."), 2),
        (("cross-validate", "config.yaml", "-o", "."), 2),
        (("train", "nothing.yaml"), 3),
        (("train", "."), 3),
        (("train", "config.yaml", "--set", "epochs=0"), 3),
        (("train", "config.yaml", "--set", "epochs=1" + 400 * "0"), 3),
        (("train", "config.yaml", "--set", "layers=[1" + 18 * "0" + "]"), 3),
        (("train", "config.yaml", "--set", "data.path=nothing.csv"), 4),
        (("train", "config.yaml", "--set", "data.target=nothing"), 4),
        (("predict", "nothing", "nothing.csv"), 5),
        (("evaluate", "nothing", "nothing.csv"), 5),
        (("predict", ".", "nothing.csv"), 5),
        (("predict", "a" * 300, "nothing.csv"), 5),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else None,
)
def test_each_kind_of_failure_has_its_exit_code(nncli: Cli, here: Path, words: tuple[str, ...], code: int) -> None:
    (here / "config.yaml").write_text(f"data: {{path: {TABLE}, target: species}}\nepochs: 1\n")
    (here / "file").write_text("")
    outcome = nncli(*words).check(code)
    if words and words != ("--version",):
        assert not outcome.out
        assert outcome.err
    assert not (here / "runs").exists()


NULS = (
    'data: {path: "a\\0.csv", target: y}\n',
    f'data: {{path: {TABLE}, target: species}}\nvalidation: {{path: "a\\0.csv"}}\n',
    f'data: {{path: {TABLE}, target: species}}\noutput: "a\\0"\n',
)


@pytest.mark.parametrize("text", NULS)
@pytest.mark.parametrize("command", ["train", "check", "cross-validate"])
def test_a_path_with_a_null_character_is_an_error_of_the_configuration(
    nncli: Cli, here: Path, text: str, command: str
) -> None:
    (here / "c.yaml").write_text(text)
    outcome = nncli(command, "c.yaml").check(3)
    assert "U+0000" in outcome.err + outcome.out


@pytest.mark.skipif(os.name == "nt", reason="a folder in use cannot be deleted")
@pytest.mark.parametrize("command", ["train CONFIG", "init TABLE -t species", "predict RUN TABLE -o x.csv"])
def test_a_deleted_working_directory_is_named_as_the_cause(penguins: Path, here: Path, command: str) -> None:
    (here / "c.yaml").write_text(f"data: {{path: {TABLE}, target: species}}\nepochs: 1\nmembers: 2\nworkers: 1\n")
    (here / "gone").mkdir()
    words = command.replace("CONFIG", str(here / "c.yaml")).replace("RUN", str(penguins)).replace("TABLE", str(TABLE))
    done = in_shell(f'rmdir {shlex.quote(str(here / "gone"))}; "$@"', *words.split(), cwd=here / "gone")
    assert done.returncode == 1
    assert b"working directory was deleted" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [(("train", "nothing.yaml"), 3), (("predict", "nothing", "x.csv"), 5)],
)
def test_debug_shows_the_traceback_and_the_message_and_keeps_the_code(
    nncli: Cli, here: Path, words: tuple[str, ...], code: int
) -> None:
    outcome = nncli("--debug", *words)
    assert outcome.code == code
    assert outcome.err.startswith("Traceback")
    assert "\nnncli: nothing" in outcome.err
    assert "Traceback" not in nncli(*words).err


def test_an_error_cannot_write_to_the_terminal_what_it_likes(nncli: Cli, here: Path) -> None:
    outcome = nncli("predict", "\x1b[31mred", "x.csv").check(5)
    assert "\x1b" not in outcome.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_full_disk_is_told_in_plain_words(penguins: Path, command: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, command, str(penguins), str(TABLE)], stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False
        )
    assert done.returncode == 1
    assert b"No space left on device" in done.stderr
    assert b"internal error" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
@pytest.mark.parametrize("command", ["predict -q RUN TABLE", "evaluate -q RUN TABLE", "generate-data -n 100000"])
def test_a_reader_who_leaves_early_is_no_error(penguins: Path, command: str) -> None:
    words = command.replace("RUN", shlex.quote(str(penguins))).replace("TABLE", shlex.quote(str(TABLE)))
    line = f"{shlex.quote(sys.executable)} -m nncli {words} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "141\n"
    assert all(line.startswith("warning:") for line in done.stderr.splitlines())  # rows that were trained on


def in_shell(line: str, *words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[bytes]:
    """Run `line`, in which "$@" is nncli with `words`."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(["bash", "-c", line, "-", *COMMAND, *words], capture_output=True, cwd=cwd, env=env)


WRITE_DATA = (
    "predict -q RUN TABLE",
    "predict -q RUN TABLE --format parquet",
    "evaluate -q RUN TABLE --json",
    "generate-data",
    "init TABLE --target species",
    "show RUN",
    "config show configs/penguins.yaml",
    "config schema",
    "--version",
)
"""Commands whose result is on the standard output."""


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
@pytest.mark.parametrize("command", WRITE_DATA)
def test_a_result_that_a_closed_standard_output_would_lose_is_an_error(penguins: Path, command: str) -> None:
    words = command.replace("RUN", str(penguins)).replace("TABLE", str(TABLE)).split()
    done = in_shell('"$@" >&-', *words)
    assert done.returncode == 1
    assert b"standard output is closed" in done.stderr
    assert b"internal error" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
@pytest.mark.parametrize("command", ["predict -q RUN TABLE", "evaluate -q RUN TABLE", "generate-data"])
@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"])
def test_a_stderr_that_cannot_be_written_to_is_no_reason_to_stop(
    nncli: Cli, penguins: Path, command: str, stderr: str
) -> None:
    words = command.replace("RUN", str(penguins)).replace("TABLE", str(TABLE)).split()
    done = in_shell(f'"$@" {stderr}', *words)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == nncli(*words).check().out


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
@pytest.mark.parametrize("streams", [">&-", "2>/dev/full", "<&- >&- 2>&-"])
def test_a_training_does_not_depend_on_the_streams_it_reports_to(nncli: Cli, here: Path, streams: str) -> None:
    (here / "c.yaml").write_text(f"data: {{path: {TABLE}, target: species}}\nepochs: 2\nmembers: 1\nvalidation: 0\n")
    done = in_shell(f'"$@" {streams}', "train", "c.yaml", "-o", "run", cwd=here)
    assert done.returncode == 0
    nncli("predict", here / "run", TABLE).check()
    if streams == ">&-":
        assert b"written to run" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
def test_no_file_gets_the_number_of_a_closed_stream(penguins: Path, here: Path) -> None:
    """What a library prints to such a stream would go into the file."""
    listing = "import sys, os; from nncli.cli.console import prepare_standard_streams; "
    listing += "prepare_standard_streams(); sys.exit(os.open('file', os.O_CREAT | os.O_RDWR))"
    done = subprocess.run(
        ["bash", "-c", '"$@" <&- >&- 2>&-', "-", sys.executable, "-c", listing],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode > 2


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
def test_notes_never_stray_among_the_data(here: Path) -> None:
    (here / "c.yaml").write_text(f"data: {{path: {TABLE}, target: species}}\nmembers: 1\nepochs: 1\n")
    done = in_shell('"$@" train c.yaml 2>&-', cwd=here)
    assert done.stdout == b"runs/c\n"


def test_python_m_nncli_is_the_command() -> None:
    assert "Usage: nncli" in run("--help").out


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: [4]\nepochs: 1\n")
    return path


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        pl.exceptions.PanicException(
            'ThreadPoolBuildError { kind: IOError(Os { code: 11, kind: WouldBlock, message: "'
        ),
        pl.exceptions.PanicException("LazyLock instance has previously been poisoned"),
        pl.exceptions.ComputeError("Cannot allocate memory (os error 12)"),
    ],
)
@pytest.mark.parametrize("where", ["polars.read_csv", "nncli.fitting.train.session.fit"])
def test_a_shortage_in_whatever_words_is_told_as_one(
    nncli: Cli, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, where: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(where, refuse)
    said = nncli("train", config, "-o", tmp_path / "run").check(1).err
    assert "not enough memory, or the limit of threads is reached" in said
    assert "smaller network" in said


def test_other_errors_are_no_shortage() -> None:
    for error in (ValueError("bad"), BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))):
        assert not is_out_of_memory(error)
        reraise_out_of_memory(error)


def test_a_panic_that_is_none_of_memory_is_a_fault_and_no_traceback(
    nncli: Cli, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def panic(*_: Any, **__: Any) -> None:
        raise pl.exceptions.PanicException("index out of bounds")

    monkeypatch.setattr("nncli.fitting.train.session.fit", panic)
    outcome = nncli("train", config, "-o", tmp_path / "run")
    assert outcome.code == 1
    assert "internal error: PanicException: index out of bounds" in outcome.err
