"""Split first, fit later: what is in validation rows changes neither the encoder nor a single weight of any epoch.

It does change which epoch is the best, when validation rows decide that. So the promise is of the weights at every
epoch's end, to the bit; and of model.safetensors whenever the same epoch is kept, which watching the training loss,
`metric: loss`, makes sure of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.api.train import train
from nncli.config.loading import load_config
from nncli.fitting.prepare.prepare import prepare
from nncli.fitting.train.events import Finished
from nncli.run_directory.checkpoints import read_checkpoint
from nncli.run_directory.manifest import CHECKPOINTS, HISTORY, MODEL, WEIGHTS
from tests.cli.support import DATA
from tests.thorough import every

PENGUINS = pl.read_csv(DATA / "penguins.csv", infer_schema=False, null_values=["NA"])
TRAINING, VALIDATION = PENGUINS.gather_every(2), PENGUINS.gather_every(2, offset=1)
NUMERIC = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
REST = """
layers: [8, batch_norm, {type: dropout, rate: 0.2}]
learning_rate: {type: cosine, peak: 0.02}
batch_size: 32
epochs: 6
checkpoint: {every: 1 epoch, keep: 10}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("split")
    TRAINING.write_csv(folder / "t.csv", null_value="NA")
    return folder


def trained(folder: Path, validation: pl.DataFrame, rest: str = "") -> Finished:
    validation.write_csv(folder / "v.csv", null_value="NA")
    (folder / "c.yaml").write_text(f"data: {{path: t.csv, target: species}}\nvalidation: {{path: v.csv}}\n{REST}{rest}")
    return train(folder / "c.yaml", set=[f"output={folder / 'run'}"])


def weights_by_epoch(run: Path) -> list[dict[str, bytes]]:
    """Weights, statistics and moments at every epoch's end, without what depends on validation."""
    files = sorted((run / CHECKPOINTS).glob("*.safetensors"))
    return [
        {
            name: a.tobytes()
            for name, a in read_checkpoint(file)[0].items()
            if not name.startswith(("best.", "reports.", "cross_fit."))
        }
        for file in files
    ]


def learned(run: Path) -> pl.DataFrame:
    """The part of the history that is of training rows."""
    return pl.read_csv(run / HISTORY).select("epoch", "loss", "penalty", "learning_rate")


@pytest.fixture(scope="module")
def before(folder: Path) -> Finished:
    return trained(folder, VALIDATION)


class Edits:
    """Validation rows with cells changed at random."""

    numbers = st.floats(-1e4, 1e4).map(lambda v: f"{v:g}") | st.sampled_from(["NA", "0", "-1", "1e9", ""])
    words = st.sampled_from(["Biscoe", "Dream", "Torgersen", "Atlantis", "NA", "male", "female", "?"])
    labels = st.sampled_from(["Adelie", "Chinstrap", "Gentoo"])

    @classmethod
    def cells(cls, name: str) -> st.SearchStrategy[str]:
        if name == "species":
            return cls.labels
        return cls.numbers if name in (*NUMERIC, "year") else cls.words

    @classmethod
    def drawn(cls, data: st.DataObject, table: pl.DataFrame, names: list[str]) -> pl.DataFrame:
        columns: dict[str, list[Any]] = table.to_dict(as_series=False)
        for _ in range(data.draw(st.integers(1, 40))):
            name = data.draw(st.sampled_from(names))
            columns[name][data.draw(st.integers(0, len(table) - 1))] = data.draw(cls.cells(name))
        return pl.DataFrame(columns, schema=table.schema)


@settings(max_examples=15 // every(3))
@given(data=st.data())
def test_edited_validation_rows_change_neither_encoder_nor_weights(
    folder: Path, before: Finished, data: st.DataObject
) -> None:
    edited = Edits.drawn(data, VALIDATION, VALIDATION.columns)
    kept = data.draw(st.integers(1, len(edited)))
    after = trained(folder, edited.head(kept))
    assert (after.run / MODEL).read_bytes() == (before.run / MODEL).read_bytes()
    assert weights_by_epoch(after.run) == weights_by_epoch(before.run)
    assert learned(after.run).equals(learned(before.run))
    if after.best_epoch == before.best_epoch:
        assert (after.run / WEIGHTS).read_bytes() == (before.run / WEIGHTS).read_bytes()


def test_validation_rows_change_only_the_best_epoch(folder: Path, before: Finished) -> None:
    wrong = VALIDATION.with_columns(
        species=pl.col("species").replace({"Adelie": "Gentoo", "Gentoo": "Chinstrap", "Chinstrap": "Adelie"})
    )
    after = trained(folder, wrong)
    assert after.best_epoch != before.best_epoch
    assert (after.run / WEIGHTS).read_bytes() != (before.run / WEIGHTS).read_bytes()
    assert weights_by_epoch(after.run) == weights_by_epoch(before.run)


def test_with_metric_loss_validation_rows_change_nothing(folder: Path) -> None:
    by_loss = "metric: loss\n"
    files = set()
    for validation in (VALIDATION, VALIDATION.reverse().head(20), VALIDATION.with_columns(species=pl.lit("Gentoo"))):
        files.add((trained(folder, validation, by_loss).run / WEIGHTS).read_bytes())
    assert len(files) == 1


def test_training_without_validation_rows_gives_the_same_weights(folder: Path, before: Finished) -> None:
    trained(folder, VALIDATION)
    without = train(folder / "c.yaml", set=["validation=0", f"output={folder / 'without'}"])
    assert (without.run / MODEL).read_bytes() == (before.run / MODEL).read_bytes()
    assert weights_by_epoch(without.run) == weights_by_epoch(before.run)


def test_a_changed_training_row_changes_the_weights(folder: Path, before: Finished, tmp_path: Path) -> None:
    """The tests above could tell."""
    TRAINING.with_columns(
        body_mass_g=pl.when(pl.int_range(pl.len()) == 5).then(pl.lit("9999")).otherwise("body_mass_g")
    ).write_csv(tmp_path / "t.csv", null_value="NA")
    after = trained(tmp_path, VALIDATION)
    assert (after.run / MODEL).read_bytes() != (before.run / MODEL).read_bytes()
    assert weights_by_epoch(after.run) != weights_by_epoch(before.run)


@settings(max_examples=10 // every(3))
@given(data=st.data())
@pytest.mark.parametrize("target", ["species", "body_mass_g"])
def test_edited_rows_of_a_random_split_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, target: str, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("share")
    table = PENGUINS.drop_nulls(target).with_row_index("row").with_columns(pl.col("row").cast(pl.String))

    def written(frame: pl.DataFrame) -> Path:
        frame.write_csv(folder / "t.csv", null_value="NA")
        (folder / "c.yaml").write_text(f"data: {{path: t.csv, target: {target}, drop: [row]}}\n{REST}")
        return folder / "c.yaml"

    prepared = prepare(load_config(written(table)))
    assert prepared.validation is not None
    first = train(folder / "c.yaml", set=[f"output={folder / 'run'}"])
    # Which rows are held out follows from the seed, the number of rows and, for classes, their labels.
    held = held_out(len(table), table[target].to_list() if target == "species" else None)
    assert len(held) == len(prepared.validation)
    names = [name for name in table.columns if name not in ("row", "species", target)]
    rows = Edits.drawn(data, table[held], names)
    if target == "body_mass_g":
        rows = rows.with_columns(body_mass_g=pl.lit(str(data.draw(st.integers(1, 10_000)))))
    edited = pl.concat([table.filter(~pl.col("row").is_in(rows["row"].to_list())), rows])
    second = train(written(edited.sort(pl.col("row").cast(pl.Int64))), set=[f"output={folder / 'run'}"])
    assert (second.run / MODEL).read_bytes() == (first.run / MODEL).read_bytes()
    assert weights_by_epoch(second.run) == weights_by_epoch(first.run)


def held_out(rows: int, labels: list[str] | None) -> list[int]:
    from nncli.data.splitting.holdout import stratified_split
    from nncli.nn.training.state import RandomStreams

    codes = None if labels is None else pl.Series(labels).rank("dense").to_numpy().astype("int64")
    return [int(row) for row in stratified_split(rows, 0.2, RandomStreams.of(0).split, codes).validation]
