"""Inference of the loss, and fitting of features and target as the section `encoding` says."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import predict, train
from nncli.base.errors import ConfigError, DataError
from nncli.base.scratch import Scratch
from nncli.config.loading import load_config
from nncli.config.schema import Config
from nncli.data.columns.datetimes import DateDoubt
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.column_types import ColumnType, infer_kind
from nncli.data.encoders.date import DateColumn
from nncli.data.encoders.numeric import NumericColumn
from nncli.data.table import Table
from nncli.fitting.prepare.fit import are_class_ids, fit_features, infer_loss, may_be_classes
from nncli.fitting.prepare.load import load_table
from nncli.fitting.prepare.prepare import prepare

RECIPE = (
    "encoding: {numeric: robust, clip: smooth, clip_target: true,"
    " categories: {max_one_hot: 2, binary: sign, scaling: robust, embedding_width: 3}}\n"
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    n = range(60)
    frame = pl.DataFrame(
        {"x": [float(i) for i in n], "two": [f"{'ab'[i % 2]}" for i in n], "many": [f"w{i % 5}" for i in n], "y": n}
    )
    frame.write_csv(tmp_path / "t.csv")
    text = "data: {path: t.csv, target: y}\nlayers: []\nepochs: 1\nlearning_rate: 1.0\n"
    (tmp_path / "c.yaml").write_text(text + RECIPE)
    return tmp_path / "c.yaml"


def test_every_encoding_option_reaches_its_column(config: Path) -> None:
    spec = prepare(load_config(config)).spec
    x, two, many = spec.encoder.columns
    assert isinstance(x, NumericColumn)
    assert (x.clip, x.quantiles) == ("smooth", None)
    assert x.scale < 40.0  # the quartiles' distance, where the range is nearly 60
    assert isinstance(two, CategoricalColumn)
    assert (two.binary_sign, two.clip) == (True, "smooth")
    assert two.centers is not None
    assert isinstance(many, CategoricalColumn)
    assert many.embedding_width == 3
    assert (spec.network.n_features, spec.encoder.embeddable_positions) == (2, (0,))
    assert spec.target.task == "regression"
    assert spec.target.lowest is not None


def test_quantiles_are_computed_from_training_rows(config: Path) -> None:
    prepared = prepare(load_config(config, ["encoding.numeric=quantile"]))
    (x, *_), rows = prepared.spec.encoder.columns, prepared.arguments.rows
    assert isinstance(x, NumericColumn)
    assert x.quantiles is not None
    assert rows is not None
    assert (len(x.quantiles), x.quantiles[0], x.quantiles[-1]) == (10, rows.min() - 1.0, rows.max() - 1.0)


def test_clipped_predictions_stay_within_the_training_targets(config: Path, tmp_path: Path) -> None:
    run = train(config, output=tmp_path / "run").run
    target = prepare(load_config(config)).spec.target
    new = pl.DataFrame({"x": [-1e300, 0.0, 1e300], "two": ["a", "b", None], "many": ["w1", "new", None]})
    new.write_csv(tmp_path / "new.csv")
    result = predict(run, tmp_path / "new.csv")["prediction"]
    assert target.task == "regression"
    assert target.lowest is not None
    assert target.highest is not None
    assert result.is_between(target.lowest[0], target.highest[0]).all()


@pytest.mark.parametrize(
    "assignment",
    [
        "encoding.numeric=ranks",
        "encoding.clip=hard",
        "encoding.clip_target=1",
        "encoding.categories.max_one_hot=-1",
        "encoding.categories.binary=yes",
        "encoding.categories.embedding_width=0",
        "encoding.categories.surprise=1",
    ],
)
def test_an_invalid_option_is_located_by_its_key(config: Path, assignment: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(config, [assignment])
    (mistake,) = caught.value.issues
    assert mistake.location is not None
    assert mistake.location.key is not None
    assert mistake.location.key.startswith(assignment.split("=")[0].removesuffix(".surprise"))


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([0, 1] * 10, True),
        ([1, 2, 3] * 5, True),
        ([0, 2] * 10, False),  # a gap
        ([2, 3] * 10, False),  # begins at 2
        ([0.5, 1.0] * 10, False),
        ([0, 1] * 4, False),  # too few rows
        ([1] * 20, False),
    ],
)
def test_class_ids_are_few_whole_numbers_without_a_gap(y: list[float], expected: bool) -> None:
    assert are_class_ids(np.array(y, np.float64)) is expected


@pytest.mark.parametrize(
    ("assignments", "clipped"),
    [
        (["data.time=x"], [False]),
        (["data.time=x", "encoding.out_of_range_dates=nearest_year"], [True]),
        (["encoding.out_of_range_dates=nearest_year"], [False]),
        (["data.path=prices.csv", "encoding.out_of_range_dates=nearest_year"], [False]),
    ],
)
def test_the_time_column_is_clipped_where_dates_are(config: Path, assignments: list[str], clipped: list[bool]) -> None:
    table = pl.read_csv(config.with_name("t.csv"))
    table.with_columns(x="$" + pl.col("x").cast(pl.String)).write_csv(config.with_name("prices.csv"))
    columns = prepare(load_config(config, assignments)).spec.encoder.columns
    assert [column.clip_range for column in columns if isinstance(column, NumericColumn)] == clipped


def test_a_column_that_the_rows_of_a_member_leave_open_has_its_kind_in_the_whole_table(tmp_path: Path) -> None:
    """Words that are frequent enough for categories in the table are a little too rare among some of its rows."""
    cells = ["1", "2", "3", "4", "5"] * 60
    for i in range(20, 300, 30):
        cells[i] = ("dk", "refused")[i // 30 % 2]
    pl.DataFrame({"q": cells, "y": [float(i % 7) for i in range(300)]}).write_csv(tmp_path / "t.csv")
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: y}\nlayers: []\nepochs: 1\nlearning_rate: 0.1\n")
    with Scratch() as scratch:
        table = load_table(load_config(tmp_path / "c.yaml"), load_config(tmp_path / "c.yaml").data, scratch)
        config, rows = load_config(tmp_path / "c.yaml"), np.flatnonzero(np.arange(300) % 80 != 20)
        assert infer_kind(table.columns(["q"]), "q") is ColumnType.CATEGORICAL
        with pytest.raises(DataError):
            infer_kind(table.take(rows).columns(["q"]), "q")
        features = fit_features(config, table.take(rows), table)
    assert features.kinds == (("q", ColumnType.CATEGORICAL),)


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%d/%m/%y"])
def test_one_cell_in_the_rows_of_another_member_tells_day_and_month_apart(tmp_path: Path, form: str) -> None:
    days = [date(2024, 1 + i % 12, 1 + i % 11) for i in range(60)]
    days[7] = date(2024, 2, 28)
    cells = [day.strftime(form) for day in days]
    pl.DataFrame({"when": cells, "y": range(60)}).write_csv(tmp_path / "t.csv")
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: y}\nlayers: []\nepochs: 1\n")
    config = load_config(tmp_path / "c.yaml")
    with Scratch() as scratch:
        table = load_table(config, config.data, scratch)
        rows = np.delete(np.arange(60), 7)
        features = fit_features(config, table.take(rows), table)
        undecided = fit_features(config, table.take(rows), table.take(rows))
    (column,) = features.encoder.columns
    assert isinstance(column, DateColumn)
    assert (features.kinds, column.date_format, features.date_doubts) == ((("when", ColumnType.DATE),), form, ())
    assert undecided.kinds == (("when", ColumnType.CATEGORICAL),)
    assert undecided.date_doubts == (("when", DateDoubt((form, form.replace("%d/%m", "%m/%d")))),)


@pytest.mark.parametrize("loss", ["gamma", "log_normal", "tweedie", "poisson", "negative_binomial"])
def test_an_amount_below_0_is_refused_with_its_row(config: Path, loss: str) -> None:
    table = pl.read_csv(config.with_name("t.csv")).with_columns(y=-1.0 - pl.col("y"))
    table.write_csv(config.with_name("t.csv"))
    with pytest.raises(DataError) as refused:
        prepare(load_config(config, [f"loss={loss}", "encoding.clip_target=false"]))
    assert refused.value.location is not None
    assert refused.value.location.column == "y"
    assert refused.value.location.row is not None


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([1, 2, 4, 5] * 10, True),
        ([0, 2, 3] * 10, True),
        ([0, 2] * 10, False),
        ([0, 1, 2, 3, 4] * 2, False),
        ([0, 1, 2, 7], False),
        ([1, 2, 4, 5.5] * 10, False),
        ([-1, 1, 2] * 10, False),
        ([1, 30] * 10, False),
        ([3] * 10, False),
        ([], False),
    ],
)
def test_few_whole_numbers_may_be_classes(y: list[float], expected: bool) -> None:
    assert may_be_classes(np.array(y, np.float64)) is expected


@pytest.mark.parametrize(
    ("y", "code", "losses"),
    [
        ([1, 2, 4, 5] * 10, "target-as-number", ["cross_entropy", "poisson"]),
        ([0, 1, 2, 3] * 10, "target-as-class", ["mse", "poisson", "ordinal"]),
        ([1, 2, 3] * 10, "target-as-class", ["mse", "ordinal"]),
    ],
)
def test_what_few_whole_numbers_are_taken_for_is_said_with_the_other_losses(
    y: list[int], code: str, losses: list[str]
) -> None:
    config = Config.model_validate({"data": {"path": "t.csv", "target": "y"}})
    _, (finding,) = infer_loss(config, Table(pl.DataFrame({"y": y}), "t.csv"))
    assert finding.code == code
    assert re.findall(r"loss[:=] ?(\w+)", finding.hint) == losses
    for loss in losses:
        followed = Config.model_validate({"data": {"path": "t.csv", "target": "y"}, "loss": loss})
        assert infer_loss(followed, Table(pl.DataFrame({"y": y}), "t.csv"))[0].type == loss


@pytest.mark.parametrize("key", [{"class_weight": "balanced"}, {"positive_class": "1"}])
def test_a_number_with_an_exposure_takes_no_key_of_classes(key: dict[str, str]) -> None:
    data = {"path": "t.csv", "target": "y", "exposure": "years"}
    table = Table(pl.DataFrame({"y": [0, 1, 4] * 10, "years": [1.0, 2.0, 3.0] * 10}), "t.csv")
    with pytest.raises(ConfigError, match="the target is a number, not a class"):
        infer_loss(Config.model_validate({"data": data, **key}), table)
