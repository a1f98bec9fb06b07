"""Plugins: names that are not built in are looked up in packages and in files of code, and nothing else breaks."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from nncli.base import plugins
from nncli.base.errors import ConfigError, RunError, UsageError
from nncli.base.plugins import Plugin, PluginWarning
from nncli.config.loading import load_config
from nncli.config.schema import Config
from nncli.nn.activations import Tanh
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.sequential import Dropout
from nncli.nn.losses import MAELoss
from nncli.nn.optim.optimizers import Adam

LOSS = '''
from typing import Literal

from nncli.base.spec import PositiveFloat
from nncli.nn.losses.regression import MSELoss


class Scaled(MSELoss):
    """The squared error."""

    type: Literal["{name}"] = "{name}"
    factor: PositiveFloat = 1.0
'''
Install = Callable[..., Path]


@pytest.fixture(autouse=True)
def _no_plugins() -> Iterator[None]:
    plugins.reset()
    yield
    plugins.reset()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a package with a module and entry points of losses into a folder of the import path."""

    def made(package: str, content: str, *names: str, group: str = "nncli.losses", path: str = "Scaled") -> Path:
        folder, module = tmp_path / package, f"{package}_module"
        about = folder / f"{package}-1.2.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        entries = "\n".join(f"{name} = {module}:{path}" for name in names)
        (about / "entry_points.txt").write_text(f"[{group}]\n{entries}\n")
        (folder / f"{module}.py").write_text(content)
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, module, raising=False)
        return folder

    return made


def config(**keys: object) -> Config:
    return Config.model_validate({"data": {"path": "t.csv", "target": "y"}, **keys})


def test_a_loss_of_a_package_takes_part_by_its_name(install: Install) -> None:
    install("acme", LOSS.format(name="scaled"), "scaled")

    loss = config(loss={"type": "scaled", "factor": 2.0}).loss

    assert loss is not None
    assert loss.model_dump() == {"type": "scaled", "factor": 2.0}
    about = plugins.plugin("losses", "scaled")
    assert about == Plugin("losses", "scaled", "acme_module:Scaled", "acme", "1.2")
    assert config(loss="scaled").loss == type(loss).model_validate({})
    assert Config.model_validate_json(config(loss=loss).model_dump_json()).loss == loss


def test_packages_are_not_searched_for_names_that_are_built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def search(allowed: str | None) -> tuple[Any, ...]:
        raise AssertionError("searched")

    monkeypatch.setattr(plugins, "_entries", search)

    config(loss=MAELoss(), layers=(Dense(units=2), Dropout(rate=0.1)), optimizer=Adam(), activation=Tanh())
    config(loss={"type": "huber", "delta": 2.0})
    config(loss="mae", layers=[8], optimizer="adam", activation="tanh", learning_rate=0.1)


def test_the_variable_allows_no_package_or_some(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("acme", LOSS.format(name="scaled"), "scaled")
    install("other-losses", LOSS.format(name="second"), "second")

    for allowed, names in (("", ()), ("other_losses", ("second",)), ("acme, Other.Losses", ("scaled", "second"))):
        monkeypatch.setenv("NNCLI_PLUGINS", allowed)
        assert plugins.names("losses") == names
    monkeypatch.setenv("NNCLI_PLUGINS", "")
    with pytest.raises(ValidationError):
        config(loss="scaled")


def test_two_packages_with_one_name_are_an_error_that_names_both(install: Install) -> None:
    install("acme", LOSS.format(name="scaled"), "scaled")
    install("bmce", LOSS.format(name="scaled"), "scaled")

    with pytest.raises(UsageError) as error:
        config(loss="scaled")

    assert "'acme' and 'bmce'" in str(error.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit('no license')", "SystemExit: no license"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        (LOSS.format(name="another"), "is no loss with the name scaled"),
        ("class Scaled:\n    pass", "is no loss with the name scaled"),
    ],
)
def test_a_broken_package_is_warned_of_once_and_breaks_nothing_else(
    install: Install, content: str, reason: str
) -> None:
    install("acme", content, "scaled")
    install("good", LOSS.format(name="second"), "second")

    with pytest.warns(PluginWarning, match="package acme is skipped") as warned, pytest.raises(ValidationError):
        config(loss="scaled")

    assert reason in str(warned[0].message)
    with pytest.raises(ValidationError):
        config(loss="scaled")
    assert config(loss="second").loss is not None


def test_a_file_takes_no_name_that_is_built_in(tmp_path: Path) -> None:
    file = tmp_path / "loss.py"
    file.write_text(LOSS.format(name="mae"))

    with pytest.raises(UsageError, match="is built in") as error:
        plugins.load_file(file)

    assert error.value.location is not None
    assert error.value.location.source == str(file)


def test_a_file_and_a_package_with_one_name_are_an_error(install: Install, tmp_path: Path) -> None:
    install("acme", LOSS.format(name="scaled"), "scaled")
    file = tmp_path / "loss.py"
    file.write_text(LOSS.format(name="scaled"))

    with pytest.raises(UsageError, match="in the package acme"):
        plugins.load_file(file)


def test_a_file_with_two_parts_of_one_name_adds_none(tmp_path: Path) -> None:
    file = tmp_path / "loss.py"
    other = LOSS.format(name="scaled").replace("class Scaled", "class Other")
    file.write_text(f"{LOSS.format(name='scaled')}\n{other}")

    with pytest.raises(UsageError, match="twice") as error:
        plugins.load_file(file)

    assert error.value.location is not None
    assert not plugins.loaded("losses")


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("a = 1\nb = 1 / 0\n", 2, "ZeroDivisionError"),
        ("a = 1\n\nb = = 2\n", 3, "SyntaxError"),
        ("a = 1\n", None, "has no part"),
    ],
)
def test_an_error_of_a_file_has_its_line(tmp_path: Path, content: str, line: int | None, message: str) -> None:
    file = tmp_path / "code.py"
    file.write_text(content)

    with pytest.raises(UsageError, match=message) as error:
        plugins.load_code([file])

    assert error.value.location is not None
    assert (error.value.location.source, error.value.location.line) == (str(file), line)


def test_an_invalid_key_of_a_plugin_has_its_line_and_caret(tmp_path: Path) -> None:
    (tmp_path / "loss.py").write_text(LOSS.format(name="scaled"))
    file = tmp_path / "c.yaml"
    file.write_text("code: [loss.py]\ndata: {path: t.csv, target: y}\nloss:\n  type: scaled\n  factr: 2\n")

    with pytest.raises(ConfigError) as error:
        load_config(file)

    (issue,) = error.value.issues
    assert (issue.location.line, issue.location.character, issue.location.key) == (5, 3, "loss.factr")
    assert issue.fix is not None
    assert issue.fix.path == ("loss", "factor")


def test_a_misspelled_name_of_a_plugin_has_a_suggestion(tmp_path: Path) -> None:
    (tmp_path / "loss.py").write_text(LOSS.format(name="scaled"))
    file = tmp_path / "c.yaml"
    file.write_text("code: [loss.py]\ndata: {path: t.csv, target: y}\nloss: scald\n")

    with pytest.raises(ConfigError) as error:
        load_config(file)

    (issue,) = error.value.issues
    assert issue.location.line == 3
    assert issue.fix is not None
    assert issue.fix.value == "scaled"


def test_a_file_of_code_that_is_missing_is_an_issue_at_its_key(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("data: {path: t.csv, target: y}\ncode:\n  - absent.py\n")

    with pytest.raises(ConfigError) as error:
        load_config(file)

    assert [(issue.location.line, issue.location.key) for issue in error.value.issues] == [(3, "code.0")]


@pytest.mark.slow
def test_the_json_schema_has_the_classes_of_plugins(tmp_path: Path) -> None:
    file = tmp_path / "loss.py"
    file.write_text(LOSS.format(name="scaled"))
    documents: list[dict[str, object]] = [
        {"data": {"path": "t.csv", "target": "y"}, "loss": loss} for loss in ("scaled", {"type": "scaled", "factor": 2})
    ]

    def accepted(document: object) -> bool:
        return bool(Draft202012Validator(Config.model_json_schema()).is_valid(document))

    assert not any(map(accepted, documents))
    plugins.load_file(file)
    assert all(map(accepted, documents))
    assert not accepted({**documents[0], "loss": {"type": "scaled", "factor": "two"}})


@pytest.mark.slow
def test_classes_are_pickled_by_file_and_never_by_their_code(tmp_path: Path) -> None:
    file = tmp_path / "loss.py"
    file.write_text(LOSS.format(name="scaled"))
    plugins.load_file(file)
    content = pickle.dumps(config(loss={"type": "scaled", "factor": 3.0}))
    read = "import pickle, sys; print(pickle.loads(sys.stdin.buffer.read()).loss)"

    def unpickled() -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([sys.executable, "-c", read], input=content, capture_output=True, check=False)

    assert unpickled().stdout.decode().strip() == "type='scaled' factor=3.0"
    file.write_text(f"{LOSS.format(name='scaled')}\n")
    assert b"is another one than before" in unpickled().stderr
    file.unlink()
    assert b"cannot be read" in unpickled().stderr


def test_a_class_without_a_file_is_refused() -> None:
    made: dict[str, Any] = {}
    exec(LOSS.format(name="scaled"), made)

    with pytest.raises(UsageError, match="has no file"):
        plugins.load_code([made["Scaled"]])


@pytest.mark.slow
def test_a_package_that_is_missing_where_work_is_done_is_named(install: Install) -> None:
    install("acme", LOSS.format(name="scaled"), "scaled")
    content = pickle.dumps(config(loss="scaled"))
    environment = {**os.environ, "PYTHONPATH": ""}
    read = "import pickle, sys; pickle.loads(sys.stdin.buffer.read())"

    done = subprocess.run(
        [sys.executable, "-c", read], input=content, capture_output=True, check=False, env=environment
    )

    assert b"pip install acme==1.2" in done.stderr


def test_a_run_never_executes_its_code_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    (folder / "code").mkdir(parents=True)
    copy = folder / "code" / "loss.py"
    copy.write_text(LOSS.format(name="scaled"))
    (needed,) = plugins.load_file(copy)
    plugins.reset()

    with pytest.raises(RunError, match="never executes code by itself"):
        plugins.require([needed], folder)
    monkeypatch.setenv("NNCLI_TRUST_CODE", "1")
    plugins.require([needed], folder)
    assert plugins.plugin("losses", "scaled") == needed
    plugins.reset()
    copy.write_text("raise SystemExit")
    with pytest.raises(RunError, match="another one than before"):
        plugins.require([needed], folder)


def test_a_run_that_lacks_a_package_says_how_to_install_it(tmp_path: Path) -> None:
    needed = Plugin("losses", "scaled", "acme_module:Scaled", "acme", "1.2")

    with pytest.raises(RunError) as error:
        plugins.require([needed], tmp_path)

    assert error.value.hint == "pip install acme==1.2"


def test_a_class_without_an_abstract_method_is_refused_by_its_name(install: Install, tmp_path: Path) -> None:
    content = """
from typing import Literal

from nncli.extend import LossBase


class Scaled(LossBase):
    type: Literal["scaled"] = "scaled"
"""
    file = tmp_path / "loss.py"
    file.write_text(content)

    with pytest.raises(UsageError, match="lacks bind"):
        plugins.load_code([file])
    install("acme", content, "scaled")
    with pytest.warns(PluginWarning, match="lacks bind"):
        assert plugins.find("losses", "scaled") is None


def test_a_run_with_a_kind_of_part_of_a_newer_version_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="newer nncli"):
        plugins.require([Plugin("oracles", "delphi", "x", "acme", "1.2")], tmp_path)


def test_two_files_of_the_same_name_are_refused_unless_they_are_equal(tmp_path: Path) -> None:
    for folder, name in (("a", "scaled"), ("b", "second"), ("c", "scaled")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "loss.py").write_text(LOSS.format(name=name))

    plugins.load_code([tmp_path / "a" / "loss.py", tmp_path / "c" / "loss.py"])
    with pytest.raises(UsageError, match="have the same name"):
        plugins.load_code([tmp_path / "b" / "loss.py"])


@pytest.mark.slow
def test_threads_execute_a_file_once_and_begin_other_work_meanwhile(tmp_path: Path) -> None:
    file = tmp_path / "loss.py"
    log = tmp_path / "log"
    wait = f"import time\nwith open({str(log)!r}, 'a') as log:\n    log.write('x')\ntime.sleep(0.5)\n"
    file.write_text(f"{wait}{LOSS.format(name='scaled')}")

    with ThreadPoolExecutor() as pool:
        loads = [pool.submit(plugins.load_file, file) for _ in range(3)]
        while not log.exists():
            time.sleep(0.01)
        plugins.load_code(())
        assert not any(load.done() for load in loads)

    assert len({load.result() for load in loads}) == 1
    assert log.read_text() == "x"


def test_a_package_is_compared_and_another_version_is_warned_of_once(install: Install, tmp_path: Path) -> None:
    install("acme", LOSS.format(name="scaled"), "scaled")
    needed = Plugin("losses", "scaled", "x", "Acme", "1.1")

    with pytest.warns(PluginWarning, match=r"Acme 1\.1, and 1\.2 is installed"):
        plugins.require([needed], tmp_path)
    plugins.require([needed, replace(needed, version="1.2")], tmp_path)
    with pytest.raises(RunError, match="and the package acme has it here") as error:
        plugins.require([replace(needed, package="bmce")], tmp_path)
    assert error.value.hint == "pip install bmce==1.1"


def test_a_package_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    file = tmp_path / "loss.py"
    file.write_text(LOSS.format(name="scaled"))
    plugins.load_file(file)

    with pytest.raises(RunError, match="has it here"):
        plugins.require([Plugin("losses", "scaled", "x", "acme", "1.1")], tmp_path)
