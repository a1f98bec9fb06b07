"""What `init` writes is a configuration: it parses, trains, and trains as one that names table and target alone."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nncli.api.init import draft, init
from nncli.api.options import Preset, Quality
from nncli.api.training_input import config_for, is_table
from nncli.base.errors import DataError, NncliError, UsageError, in_terminal
from nncli.base.text import quote
from nncli.config.loading import load_config
from nncli.config.schema import Config
from nncli.config.yaml.parser import parse
from nncli.fitting.prepare.prepare import prepare
from nncli.nn.losses import MSELoss
from tests.assertions import lines
from tests.cli.support import DATA

N = 40
HOSTILE = [
    "a: b",
    '"',
    "'",
    "#",
    "a\nb",
    "\x1b[31m",
    "null",
    "yes",
    "~",
    "- x",
    "🎉",
    "\u2028",
    " x ",
    "{a}",
    "*a",
    "é",
    "\\",
]


def write(folder: Path, columns: Mapping[str, Sequence[object]], name: str = "t.csv") -> Path:
    frame = pl.DataFrame({key: pl.Series(list(cells)) for key, cells in columns.items()})
    path = folder / name
    frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_csv(path)
    return path


def numbers(seed: int = 0, rows: int = N) -> list[float]:
    rng = random.Random(seed)
    return [round(rng.random(), 6) for _ in range(rows)]


def section(text: str) -> dict[str, object]:
    result = parse(text, "c.yaml").value["data"]
    assert isinstance(result, dict)
    return result


def loaded(folder: Path, text: str, assignments: Sequence[str] = ()) -> Config:
    path = folder / "loaded.yaml"
    path.write_text(text, "utf-8")
    return load_config(path, assignments)


def resolved_config(folder: Path, text: str) -> Config:
    """All that shapes the training, each choice written out."""
    return prepare(loaded(folder, text)).config.model_copy(update={"output": None})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "target"), [("penguins.csv", "species"), ("linear.csv", "y"), ("xor.csv", "target"), ("spirals.csv", "")]
)
@pytest.mark.parametrize("preset", [None, "textbook"])
def test_it_trains_as_table_and_target_alone_do(here: Path, table: str, target: str, preset: Preset | None) -> None:
    names = pl.read_csv(DATA / table).columns
    target = target if target in names else names[-1]
    text = init(DATA / table, target, preset=preset)
    assert "drop" not in section(text)
    bare = f"data: {{path: {DATA / table}, target: {target}}}\npreset: {preset or 'null'}\n"
    assert resolved_config(here, text) == resolved_config(here, bare)


def test_it_says_what_was_found(here: Path) -> None:
    text = init(DATA / "penguins.csv", "species")
    assert "# penguins.csv: 344 rows, 8 columns." in text
    assert (
        "# Target: species, classification, 3 classes: Adelie (152 rows), Gentoo (124 rows), Chinstrap (68 rows)."
        in text
    )
    assert "bill_length_mm     numeric      32.1 to 59.6, median 44.45; 0.58 % missing" in text


def test_what_carries_nothing_is_dropped_with_the_reason(here: Path) -> None:
    columns = {"rowid": range(N), "x": numbers(), "same": ["a"] * N, "void": [None] * N, "y": numbers(1)}
    begun = draft(write(here, columns), "y")
    assert section(begun.text)["drop"] == ["rowid", "same", "void"]
    assert "- rowid  # a different value in every row" in begun.text
    assert "- same   # one value in all rows" in begun.text
    assert lines(begun.findings) == (
        "dropped 'rowid': a different value in every row",
        "dropped 'same': one value in all rows",
        "dropped 'void': no value in any row",
    )
    prepare(loaded(here, begun.text))


def test_a_spelling_of_a_missing_value_is_told_of(here: Path) -> None:
    x = [*map(str, numbers()[:-2]), "?", "?"]
    begun = draft(write(here, {"x": x, "z": numbers(2), "y": numbers(1)}), "y")
    assert section(begun.text)["missing_values"] == ["", "NA", "?"]
    assert lines(begun.findings) == ("'?' is read as a missing value",)
    prepare(loaded(here, begun.text))


def test_init_reads_invalid_cells_as_the_option_says_and_writes_it(here: Path) -> None:
    x = [*(str(i % 30) for i in range(N - 4)), "withheld", "k.A.", "nothing", "soon"]
    path = write(here, {"x": x, "z": numbers(2), "y": numbers(1)})
    assert section(draft(path, "y").text)["columns"] == {"x": "categorical"}
    begun = draft(path, "y", on_error="missing")
    assert section(begun.text)["on_error"] == "missing"
    assert "columns" not in section(begun.text)
    prepare(loaded(here, begun.text))


def test_several_spellings_are_told_of_in_the_plural(here: Path) -> None:
    x = [*map(str, numbers()[:-2]), "?", "N/A"]
    begun = draft(write(here, {"x": x, "z": numbers(2), "y": numbers(1)}), "y")
    assert lines(begun.findings) == ("'?' and 'N/A' are read as missing values",)
    assert "'?' and 'N/A'" in begun.text


def test_a_target_may_spell_missing_values_in_its_own_way(here: Path) -> None:
    text = init(write(here, {"x": numbers(2), "y": [*map(str, numbers()[:-2]), "?", "?"]}), "y")
    assert "2 rows without a target are not used" in text
    prepare(loaded(here, text))


def test_numbers_with_grouped_digits_are_read_as_numbers(here: Path) -> None:
    columns: dict[str, list[Any]] = {
        "x": [f"{1000 + i * 7919:,}" for i in range(N)],
        "z": numbers(),
        "y": [f"{i * 997:,}" for i in range(N)],
    }
    begun = draft(write(here, columns), "y")
    assert section(begun.text)["thousands"] == ","
    assert lines(begun.findings) == ("',' is read as the thousands separator",)
    assert "regression: 0 to 38,883" in begun.text
    assert dict(prepare(loaded(here, begun.text)).config.data.columns) == {"x": "numeric", "z": "numeric"}


def test_a_doubtful_column_goes_as_categories_with_the_doubt_beside_it(here: Path) -> None:
    begun = draft(write(here, {"x": ["5%", "$6"] * (N // 2), "y": numbers()}), "y")
    assert section(begun.text)["columns"] == {"x": "categorical"}
    assert "only if all cells of the column have the same one" in begun.text
    assert "'x' is read as categorical" in begun.decisions[0].line
    assert "only if all cells of the column have the same one" in begun.decisions[0].line
    prepare(loaded(here, begun.text))


@pytest.mark.slow
def test_money_and_percent_are_numbers_and_it_is_said(here: Path) -> None:
    columns: dict[str, Sequence[object]] = {
        "price": [f"${i * 997:,}" for i in range(N)],
        "share": [f"{i % 7} %" for i in range(N)],
        "y": [f"{i * 31:,} EUR" for i in range(N)],
    }
    begun = draft(write(here, columns), "y")
    assert section(begun.text)["thousands"] == ","
    assert set(section(begun.text)) <= {"path", "target", "thousands"}
    assert "price  numeric  0 to 38,883, median 19,442, unit $" in begun.text
    assert lines(begun.findings)[:3] == (
        "'price' is read as numbers without their $",
        "'share' is read as numbers without their %: 12 % is 12",
        "'y' is read as numbers without their EUR",
    )
    prepared = prepare(loaded(here, begun.text))
    assert dict(prepared.config.data.columns) == {"price": "numeric", "share": "numeric"}
    assert set(begun.findings[:3]) <= set(prepared.findings)
    assert isinstance(prepared.arguments.loss, MSELoss)


def test_a_column_in_doubt_whose_cells_all_differ_is_left_out_with_the_way_to_mend_it(here: Path) -> None:
    columns: dict[str, Sequence[object]] = {
        "x": [f"{'$€'[i % 2]}{i}" for i in range(N)],
        "z": numbers(),
        "y": numbers(),
    }
    begun = draft(write(here, columns), "y")
    assert section(begun.text)["drop"] == ["x"]
    assert begun.decisions[0].line.startswith("'x' is dropped: '€1' looks like a number")
    assert "have the same one" in begun.decisions[0].line


def test_numbers_of_classes_come_with_the_way_out(here: Path) -> None:
    text = init(write(here, {"x": numbers(), "y": [0, 1] * (N // 2)}), "y")
    assert "For regression set loss: mse" in text
    assert "\n# loss: mse " in text
    assert loaded(here, text.replace("# loss: mse", "loss: mse")).loss


@pytest.mark.parametrize("preset", [None, "textbook", "tabular"])
def test_every_choice_that_is_off_can_be_turned_on(here: Path, preset: Preset | None) -> None:
    text = init(DATA / "penguins.csv", "species", preset=preset)
    off = text[text.index("# Options") :].splitlines()[1:]
    assert len(off) >= 2
    for line in off:
        assert loaded(here, text) != loaded(here, text.replace(line, line.removeprefix("# "))) or "quality" in line


@pytest.mark.parametrize(("quality", "members"), [("fast", 4), ("balanced", "auto")])
def test_quality_is_written_where_it_is_asked_for(here: Path, quality: Quality, members: int | str) -> None:
    text = init(DATA / "penguins.csv", "species", quality=quality)
    assert parse(text, "").value["quality"] == quality
    assert loaded(here, text).members == members


def test_quality_is_refused_of_textbook() -> None:
    with pytest.raises(UsageError, match="quality"):
        init(DATA / "xor.csv", "target", preset="textbook", quality="fast")


def test_assignments_are_written(here: Path) -> None:
    text = init(
        DATA / "penguins.csv",
        "species",
        set=["seed=3", "layers=[4]", "optimizer={type: sgd, momentum: 0.5}", "data.drop=[year]"],
    )
    assert section(text)["drop"] == ["year"]
    config = loaded(here, text)
    assert (config.seed, len(config.layers), config.optimizer.type) == (3, 1, "sgd")
    assert "year " not in text[text.index("Features:") :]


def test_what_was_asked_for_by_name_is_not_dropped(here: Path) -> None:
    path = write(here, {"id": range(N), "x": numbers(), "y": numbers(1)})
    assert "drop" not in section(init(path, "y", set=["data.columns={id: numeric}"]))
    assert "drop" not in section(init(path, "y", set=["data.features=[id, x]"]))
    ignored = init(path, "y", set=["data.columns={x: ignore, id: numeric}"])
    assert "#   x " not in ignored


def test_a_group_is_kept_apart(here: Path) -> None:
    path = write(here, {"g": list("ab") * (N // 2), "x": numbers(), "y": numbers(1)})
    text = init(path, "y", set=["data.group=g"])
    assert section(text)["group"] == "g"
    prepare(loaded(here, text))


def test_numbers_that_count_the_rows_serve_where_there_is_nothing_else(here: Path) -> None:
    assert "drop" not in section(init(write(here, {"x": range(N), "y": numbers()}), "y"))
    with pytest.raises(DataError, match="no feature column"):
        init(write(here, {"id": range(N), "y": numbers()}), "y")


def test_several_targets_are_a_list(here: Path) -> None:
    text = init(DATA / "linear.csv", ["x2", "y"])
    assert section(text)["target"] == ["x2", "y"]
    assert text.count("# Target: ") == 2


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(names=st.lists(st.sampled_from(HOSTILE) | st.text(min_size=1, max_size=5), min_size=3, max_size=3, unique=True))
def test_hostile_names_survive(here: Path, names: list[str]) -> None:
    rows = [dict(zip(names, ["x", f"{i % 7}", f"{i % 3 + 0.5}"], strict=True)) for i in range(30)]
    path = here / "t.jsonl"
    try:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        text = init(path, names[2], set=[])
    except (UnicodeEncodeError, DataError):  # no name that a table can have
        return
    result = section(text)
    assert result["target"] == names[2]
    assert result["drop"] == names[:1]
    assert loaded(here, text).data.target == (names[2],)


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_and_values_train(here: Path, name: str) -> None:
    columns: dict[str, list[Any]] = {name: [name, *["c"] * (N - 1)], "x": numbers(), "y": [name, "b"] * (N // 2)}
    text = init(write(here, columns, "t.parquet"), "y")
    prepared = prepare(loaded(here, text))
    assert prepared.config.data.features == (name, "x")


@pytest.mark.parametrize("name", ["a b.csv", "#.csv", "é🎉.csv", "a'b\"c.csv", "null.csv", "-x.csv", "x: y.csv"])
def test_hostile_file_names_survive(here: Path, name: str) -> None:
    write(here, {"x": numbers(), "y": numbers(1)}, name)
    text = init(name, "y")
    assert loaded(here, text).data.path == str(here / name)
    assert loaded(here, text).output == f"runs/{name.removesuffix('.csv')}"


def test_paths_are_those_of_where_the_configuration_stands(here: Path) -> None:
    (here / "data").mkdir()
    write(here / "data", {"x": numbers(), "y": numbers(1)})
    assert section(init("data/t.csv", "y"))["path"] == "data/t.csv"
    init("data/t.csv", "y", output="configs/deep/c.yaml")
    assert section((here / "configs/deep/c.yaml").read_text("utf-8"))["path"] == "../../data/t.csv"
    assert load_config("configs/deep/c.yaml").data.path == str(here / "data" / "t.csv")


@pytest.mark.slow
def test_a_file_begins_with_the_schema_for_editors_and_a_stream_does_not(here: Path) -> None:
    text = init(DATA / "xor.csv", pl.read_csv(DATA / "xor.csv").columns[-1], output="c.yaml")
    assert (here / "c.yaml").read_text("utf-8") == text
    line = text.splitlines()[0]
    assert line.startswith("# yaml-language-server: $schema=file:///")
    assert json.loads(Path(line.partition("file://")[2]).read_bytes())["title"] == "nncli configuration"
    assert "schema" not in init(DATA / "xor.csv", pl.read_csv(DATA / "xor.csv").columns[-1])


def test_an_existing_file_is_replaced_by_force_alone(here: Path) -> None:
    path = write(here, {"x": numbers(), "y": numbers(1)})
    (here / "c.yaml").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        init(path, "y", output="c.yaml")
    assert (here / "c.yaml").read_text() == "mine"
    init(path, "y", output="c.yaml", force=True)
    assert load_config("c.yaml")


@pytest.mark.parametrize(
    ("names", "guess"),
    [
        (["a", "Target", "b"], "Target"),
        (["class", "b"], "class"),
        (["a", "b c"], "'b c'"),
        (["label", "target"], "target"),
    ],
)
def test_without_a_target_the_likeliest_is_named(here: Path, names: list[str], guess: str) -> None:
    for suffix in ("csv", "parquet"):
        with pytest.raises(UsageError, match="no target is given") as raised:
            init(write(here, {name: [1, 2] for name in names}, f"t.{suffix}"), [])
        assert f"Try --target {guess}. The columns are {quote(names[0])}" in raised.value.on(in_terminal)


def test_a_wrong_target_is_answered_by_the_nearest(here: Path) -> None:
    with pytest.raises(DataError, match=r"there is no column 'specis'\n.*'species'"):
        init(DATA / "penguins.csv", "specis")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("x,y\n", "no rows"),
        ("x,y\n1,\n2,\n", "no row has a target"),
        ("y\n1\n2\n", "no feature column"),
        ("x,y\n5,1\n5,2\n", "no feature column\n.*'x': one value in all rows"),
        ("x,y\n1,5%\n2,6%\n3,7\n", "looks like a number|is not a number"),
    ],
)
def test_tables_that_teach_nothing_are_refused(here: Path, content: str, message: str) -> None:
    (here / "t.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        init("t.csv", "y")


def test_a_wide_table_is_not_told_column_by_column(here: Path) -> None:
    path = write(here, {f"x{i}": [0.5, 1.5, 2.0, i + 0.25] for i in range(300)} | {"y": [1.0, 2.0, 3.5, 4.0]})
    assert "… and 100 more" in init(path, "y")


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    cells=st.lists(
        st.lists(st.sampled_from(["", "NA", "1", "2.5", "-3", "a", "?", "5%", "inf", "007"]), min_size=4, max_size=30),
        min_size=3,
        max_size=3,
    )
)
def test_what_it_writes_is_never_refused_for_its_columns(here: Path, cells: list[list[str]]) -> None:
    rows = min(map(len, cells))
    columns = {name: column[:rows] for name, column in zip("abc", cells, strict=True)}
    path = write(here, {**columns, "y": numbers(rows=rows)})
    try:
        text = init(path, "y")
    except DataError:  # nothing to predict from
        return
    prepare(loaded(here, text, ["layers=[2]", "validation=0"]))


def test_the_one_line_form_is_what_init_writes(here: Path) -> None:
    path = write(here, {"rowid": range(N), "x": numbers(), "y": numbers(1)})
    config, begun = config_for(path, "y", ["epochs=7", "layers=[3]"])
    assert config == loaded(here, init(path, "y"), ["epochs=7", "layers=[3]"])
    assert config.data.drop == ("rowid",)
    assert lines(begun.decisions) == ("dropped 'rowid': a different value in every row",)


@pytest.mark.parametrize(
    ("argument", "target", "expected"),
    [
        ("a.csv", "", True),
        ("a.CSV.gz", "", True),
        ("a.parquet", "", True),
        ("a.txt", "", False),
        ("a.txt", "y", True),
        ("a.xlsx", "", True),
        ("a.yaml", "", False),
        ("-", "", False),
        ("-", "y", True),
        ("config", "", False),
    ],
)
def test_tables_are_told_from_configurations(argument: str, target: str, expected: bool) -> None:
    assert is_table(argument, [target] if target else []) is expected


@pytest.mark.parametrize("argument", ["a.yaml", "a.YML"])
def test_a_configuration_takes_no_target(argument: str) -> None:
    with pytest.raises(NncliError, match="target needs a table"):
        is_table(argument, ["y"])


def test_a_folder_is_a_table_unless_it_has_configurations(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n1,2\n")
    assert is_table(str(tmp_path), ())
    (tmp_path / "config.yaml").touch()
    assert not is_table(str(tmp_path), ())
    assert is_table(str(tmp_path), ("y",))
