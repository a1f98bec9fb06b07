"""The words that name trackers."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from nncli.base.credentials import with_credentials
from nncli.base.errors import UsageError
from nncli.integrations.tensorboard import TensorBoard
from nncli.tracking import tracker as choice
from nncli.tracking.tracker import TrackerChoice, parse_trackers


@pytest.mark.parametrize(
    ("word", "kind", "target"),
    [
        ("tensorboard", "tensorboard", None),
        ("tensorboard=logs/a=b", "tensorboard", "logs/a=b"),
        ("mlflow", "mlflow", None),
        ("mlflow=http://127.0.0.1:5000", "mlflow", "http://127.0.0.1:5000"),
    ],
)
def test_a_word_is_a_kind_and_where_it_writes_to(word: str, kind: str, target: str | None) -> None:
    parsed = TrackerChoice.parse(word)
    assert (parsed.kind.name, parsed.target, str(parsed)) == (kind, target, word)


@pytest.mark.parametrize("word", ["", "=", "wandb", "tensor_board", "MLflow=x", "tensorboard=", "mlflow="])
def test_other_words_are_refused(word: str) -> None:
    with pytest.raises(UsageError):
        TrackerChoice.parse(word)


def test_a_misspelled_word_is_answered_with_the_right_one() -> None:
    with pytest.raises(UsageError) as refused:
        TrackerChoice.parse("tensorbord=logs")
    assert refused.value.hint is not None
    assert "tensorboard" in refused.value.hint


@pytest.mark.parametrize("kind", ["tensorboard", "mlflow"])
def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    def nothing(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(choice, "find_spec", nothing)
    with pytest.raises(UsageError) as refused:
        TrackerChoice.parse(kind)
    assert refused.value.hint == f"pip install 'nncli-train[{kind}]'"


def test_a_file_is_no_log_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError):
        TrackerChoice.parse(f"tensorboard={tmp_path / 'file'}")


def test_a_login_is_not_shown() -> None:
    parsed = TrackerChoice.parse("mlflow=https://me:secret@host/path")
    assert "secret" not in f"{parsed} {parsed!r}"
    again = TrackerChoice.parse(str(parsed))
    assert with_credentials(again.target or "") == "https://me:secret@host/path"


def test_every_tracker_is_chosen_once() -> None:
    assert len(parse_trackers(["tensorboard", "mlflow", "tensorboard", "tensorboard=logs"])) == 3


def test_tensorboard_writes_beside_the_run(tmp_path: Path) -> None:
    assert isinstance(TrackerChoice.parse("tensorboard").open(tmp_path / "runs" / "a"), TensorBoard)
    assert not list(tmp_path.iterdir())
