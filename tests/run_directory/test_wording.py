"""The wording of errors about run directories. It is pinned here alone: other tests check the file that is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nncli import predict
from nncli.api.train import train
from nncli.base.errors import NncliError, in_terminal
from nncli.models.model import FORMAT
from nncli.run_directory.manifest import CHECKPOINTS, MANIFEST, MODEL, WEIGHTS
from nncli.run_directory.run import Run
from nncli.run_directory.training_rows import RowMatches
from tests.cli.support import DATA
from tests.run_directory.support import change_manifest, changed, damaged


def delete(run: Path) -> None:
    shutil.rmtree(run)


def replace_by_file(run: Path) -> None:
    shutil.rmtree(run)
    run.write_text("")


def replace_by_broken_link(run: Path) -> None:
    shutil.rmtree(run)
    run.symlink_to("gone")


def delete_manifest(run: Path) -> None:
    (run / MANIFEST).unlink()


def change_model(run: Path) -> None:
    (run / MODEL).write_bytes(changed(temperature=2.0)((run / MODEL).read_bytes()))


def truncate_model(run: Path) -> None:
    damaged(run, MODEL, lambda content: content[:100])


def empty_manifest(run: Path) -> None:
    (run / MANIFEST).write_text("{}")


def change_layers(run: Path) -> None:
    damaged(run, MODEL, changed(network__n_features=3))


def empty_weights(run: Path) -> None:
    damaged(run, WEIGHTS, lambda content: b"")


def link_weights(run: Path) -> None:
    (run / WEIGHTS).rename(run.parent / "outside")
    (run / WEIGHTS).symlink_to(run.parent / "outside")


def raise_the_format(run: Path) -> None:
    (run / MANIFEST).write_bytes(changed(format=FORMAT + 1)((run / MANIFEST).read_bytes()))


def end_early(run: Path) -> None:
    change_manifest(run, changed(status="running", files={}))
    for name in (MODEL, WEIGHTS):
        (run / name).unlink()


CASES: dict[str, tuple[Callable[[Path], None], str]] = {
    "no directory": (
        delete,
        ("RUN: there is no such run directory\n  `nncli runs` lists the runs; `nncli train CONFIG` creates one."),
    ),
    "a file": (
        replace_by_file,
        ("RUN: this is a file, not a run directory\n  `nncli runs` lists the runs; `nncli train CONFIG` creates one."),
    ),
    "a link to nothing": (
        replace_by_broken_link,
        (
            "RUN: this is a link to 'gone', which does not exist\n"
            "  `nncli runs` lists the runs; `nncli train CONFIG` creates one."
        ),
    ),
    "no manifest": (
        delete_manifest,
        (
            "RUN: not a run directory: it holds no manifest.json\n"
            "  Is this the right path? `nncli runs` lists the runs there are."
        ),
    ),
    "an empty manifest": (
        empty_manifest,
        (
            "RUN/manifest.json: the file is damaged: it is not a manifest\n"
            "  Restore the directory from a copy, or train again."
        ),
    ),
    "a changed file": (
        change_model,
        (
            "RUN/model.json: the file is not the one that was written: its checksum is not manifest.json's\n"
            "  Restore the directory from a copy, or train again."
        ),
    ),
    "no JSON": (
        truncate_model,
        "RUN/model.json: the file cannot be read as JSON\n  Restore the directory from a copy, or train again.",
    ),
    "layers that do not fit": (
        change_layers,
        (
            "RUN/model.json: the file is damaged: it does not describe a model\n"
            "  Restore the directory from a copy, or train again."
        ),
    ),
    "no weights": (
        empty_weights,
        (
            "RUN/model.safetensors: the file is damaged: it does not hold weights\n"
            "  Restore the directory from a copy, or train again."
        ),
    ),
    "a symbolic link": (
        link_weights,
        (
            "RUN/model.safetensors: the file cannot be read: it is a link\n"
            "  Restore the directory from a copy, or train again."
        ),
    ),
    "a newer format": (
        raise_the_format,
        "RUN/manifest.json: written in format 2; this nncli reads up to 1\n  Install a newer nncli.",
    ),
    "an unfinished training": (
        end_early,
        ("RUN: the training of this run has not finished, or failed\n  To resume: nncli train --resume RUN"),
    ),
}


@pytest.mark.parametrize(("damage", "text"), CASES.values(), ids=CASES)
def test_the_wording_of_an_error(penguins: Path, tmp_path: Path, damage: Callable[[Path], None], text: str) -> None:
    run = Path(shutil.copytree(penguins, tmp_path / "run"))
    damage(run)
    with pytest.raises(NncliError) as caught:
        predict(run, DATA / "penguins.csv")
    assert caught.value.on(in_terminal).replace(str(run), "RUN") == text


def test_the_wording_of_damaged_checkpoints(penguins: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(penguins, tmp_path / "run"))
    for file in (run / CHECKPOINTS).iterdir():
        file.write_bytes(b"")
    with pytest.raises(NncliError) as caught:
        train(resume=run, set=["epochs=1000"])
    assert caught.value.on(in_terminal).replace(str(run), "RUN") == (
        "RUN/checkpoints: every checkpoint of this run is damaged, or of another training\n"
        "  Train again from its config.yaml."
    )


def test_the_wording_of_a_locked_run(penguins: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(penguins, tmp_path / "run"))
    with Run(run).locked(), pytest.raises(NncliError) as caught:
        train(resume=run)
    assert caught.value.on(in_terminal).replace(str(run), "RUN") == (
        "RUN: another training is writing this run\n  Wait for it to end, or stop it."
    )


@pytest.mark.parametrize(
    ("matches", "text"),
    [
        (RowMatches(344, 344, 344, 0.0, 0.03), "344 of 344 rows were trained on or chose the epoch: SCORES"),
        (
            RowMatches(9_000, 3_000, 2_000, 0.1, 0.2),
            "about 6,000 of 9,000 rows were trained on or chose the epoch (about 900 would equal such rows by chance): "
            "SCORES",
        ),
        (RowMatches(100, 100, 2, 0.01, 0.02), None),
    ],
)
def test_the_wording_of_the_warning_of_training_rows(matches: RowMatches, text: str | None) -> None:
    assert matches.warning == (None if text is None else text.replace("SCORES", "these scores are optimistic"))
