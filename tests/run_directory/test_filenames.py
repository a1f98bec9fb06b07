from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nncli.run_directory.filenames import CONFIG, checksum, is_locked, train_command
from nncli.run_directory.run import Run


def test_a_checksum_ignores_itself_and_the_order_of_the_keys() -> None:
    document = {"a": 1, "b": [2]}
    assert checksum({"b": [2], "checksum": "x", "a": 1}) == checksum(document)
    assert checksum({"a": 1, "b": [3]}) != checksum(document)


def test_a_directory_is_locked_while_a_training_holds_it(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    with Run(tmp_path).locked():
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)


def test_the_module_imports_no_large_library() -> None:
    program = "import sys, nncli.run_directory.filenames; print(*{'numpy', 'pydantic', 'polars'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@given(st.text(min_size=1).filter(lambda text: "\0" not in text))
def test_the_command_that_trains_again_names_the_configuration_in_any_shell(name: str) -> None:
    folder = Path(name)
    assert shlex.split(train_command(folder)) == ["nncli", "train", str(folder / CONFIG)]
