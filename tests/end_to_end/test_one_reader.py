"""One reader decides once: every command agrees on the kind and the value of every cell of polluted columns."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from nncli import check, export, head, load, predict, train
from nncli.api.init import draft
from nncli.base.errors import NncliError
from nncli.base.findings import Finding, FindingCode
from nncli.base.scratch import Scratch
from nncli.config.loading import load as load_config
from nncli.data.encoders.column_types import ColumnType
from nncli.data.encoders.date import DateColumn
from nncli.data.encoders.numeric import NumericColumn
from nncli.fitting.prepare.load import load_table
from nncli.models.model import Model
from nncli.serving.app import build_app
from nncli.serving.models.reload import ModelSlot, ModelSlots
from nncli.serving.models.served_model import ServedModel
from nncli.serving.server_options import ServerOptions
from nncli.serving.state import ServerState
from tests.cli.support import Cli
from tests.polluted_columns import PollutedColumn, polluted_table
from tests.serving.asgi_client import AsgiClient
from tests.thorough import every, partly

TABLES, COLUMNS = 50, 10
SETTINGS = ("epochs=1", "members=1", "layers=[2]", "loss=mse", "calibration=none")
WORDS = {
    FindingCode.AMBIGUOUS_DATES,
    FindingCode.DATES_AS_CATEGORIES,
    FindingCode.AMBIGUOUS_NUMBERS,
    FindingCode.DROPPED_COLUMN,
}


def named(findings: tuple[Finding, ...], name: str) -> set[FindingCode]:
    """The codes of the findings that say that a column is not read as it looks."""
    return {
        finding.code
        for finding in findings
        if finding.code in WORDS and (finding.location.column == name or f"'{name}'" in finding.message)
    }


def refusal(command: Callable[[], object]) -> str:
    """The message with which a command refuses the table."""
    with pytest.raises(NncliError) as caught:
        command()
    return caught.value.message


@partly
@pytest.mark.parametrize("seed", range(0, TABLES, every(10)))
def test_every_command_reads_a_polluted_table_alike(tmp_path: Path, seed: int) -> None:
    text, columns = polluted_table(seed, COLUMNS)
    path = tmp_path / "t.csv"
    path.write_text(text)
    try:
        seen = head(path)
    except NncliError as error:
        messages = {refusal(lambda: draft(path, "y")), refusal(lambda: train(path, target="y", set=SETTINGS))}
        if messages != {error.message}:
            raise
        return
    drafted = draft(path, "y")
    profiles = {column.name: column.profile for column in seen.columns}
    for profile in drafted.summary.columns:
        of_head = profiles[profile.name]
        assert (profile.kind, profile.recommended) == (of_head.kind, of_head.recommended), profile.name
        assert (
            named(drafted.findings, profile.name) - {FindingCode.DROPPED_COLUMN}
            == named(seen.findings, profile.name) - {FindingCode.DROPPED_COLUMN}
            or not profile.recommended
        )
        if columns[profile.name].what == "dates" and profile.kind is ColumnType.CATEGORICAL:
            assert named(drafted.findings, profile.name), (profile.name, columns[profile.name].cells[:5])

    checked = check(path, target="y", set=SETTINGS)
    train(path, target="y", set=SETTINGS, output=tmp_path / "run")
    model = load(tmp_path / "run").model
    assert isinstance(model, Model)
    kept = {column.name: column.kind for column in drafted.summary.kept}
    assert {column.name: column.type for column in model.spec.encoder.columns} == {n: k.value for n, k in kept.items()}
    for name in kept:
        assert named(checked.findings, name) >= named(drafted.findings, name) & {
            FindingCode.AMBIGUOUS_DATES,
            FindingCode.DATES_AS_CATEGORIES,
        }

    config = load_config(tmp_path / "run" / "config.yaml").config
    with Scratch(None) as scratch:
        for dialect in (None, model.spec.dialect):
            table = load_table(config, config.data, scratch, dialect)
            for column in model.spec.encoder.columns:
                if isinstance(column, NumericColumn | DateColumn):
                    values = np.asarray(column.comparable_cells(table.columns([column.name])), np.float64)
                    check_values(columns[column.name], values, column.name)
    check_predictions(tmp_path, columns, config.data.missing_values, exports=seed % 10 == 0)


def check_values(column: PollutedColumn, values: np.ndarray, name: str) -> None:
    """Every cell is read as what it means, or is missing."""
    meant = np.array([np.nan if value is None else value for value in column.values])
    wrong = ~np.isnan(values) & ~np.isclose(values, meant, rtol=1e-12, atol=0)
    where = int(np.argmax(wrong))
    assert not wrong.any(), (name, column.cells[where], values[where], meant[where])


def check_predictions(
    folder: Path, columns: Mapping[str, PollutedColumn], missing_values: Sequence[str], *, exports: bool
) -> None:
    """The table is predicted alike from its file, by a server from text cells, and by exported files."""
    run, path = folder / "run", folder / "t.csv"
    predicted = predict(run, path)["prediction"].to_list()
    missing = {"", "NA", *missing_values}
    texts = [[None if cell in missing else cell for cell in column.cells] for column in columns.values()]
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*texts, strict=True)]
    served = ServedModel.load("m", run)
    state = ServerState(ModelSlots([ModelSlot(run, served)]), ServerOptions())
    answer = AsgiClient(build_app(state)).post_json("/predict", {"rows": rows})
    state.batcher.close()
    assert answer.status == 200, answer.body
    assert [row["prediction"] for row in answer.json["rows"]] == pytest.approx(predicted, rel=1e-9)
    if exports:
        export(run, folder / "m.py", to="python", check=path)
        if shutil.which("node"):
            export(run, folder / "m.js", to="js", check=path)
        if shutil.which("gcc"):
            export(run, folder / "m.c", to="c", check=path)


@pytest.mark.parametrize(
    ("cells", "words", "form"),
    [
        (["03/04/24", "05/06/24", "07/12/23"], "either order", "%m/%d/%y"),
        (["24-07-24", "24-07-23", "23-06-21"], "either order", "%y-%m-%d"),
        (["2024-01-05", "03/04/2024", "2024-02-06", "04/05/2024"], "either order", "%d/%m/%Y"),
        (["Aug-24", "Sep-24", "Oct-23"], "look like dates", "%b-%y"),
    ],
)
def test_all_commands_say_why_dates_are_categories_and_the_hint_works(
    nncli: Cli, here: Path, cells: list[str], words: str, form: str
) -> None:
    rows = [f"{cells[i % len(cells)]},{i * 37 % 101},{1000 + i}" for i in range(60)]
    Path("t.csv").write_text("\n".join(["when,x,y", *rows]) + "\n")
    settings = ["--set", "epochs=1", "--set", "members=1", "--set", "layers=[2]"]
    table = [
        ("head", "t.csv"),
        ("init", "t.csv", "--target", "y", "-o", "c.yaml"),
        ("check", "t.csv", "--target", "y", *settings),
        ("check", "c.yaml", *settings),
        ("train", "t.csv", "--target", "y", "-o", "run", *settings),
        ("train", "c.yaml", "-o", "run2", *settings),
    ]
    for command in table:
        outcome = nncli(*command).check()
        assert words in outcome.err + outcome.out, command
        if "either" in words:
            assert f"--set data.date_format={form}" in outcome.err + outcome.out
    nncli("train", "t.csv", "--target", "y", "-o", "dated", *settings, "--set", f"data.date_format={form}").check()
    model = load("dated").model
    assert isinstance(model, Model)
    (column,) = [column for column in model.spec.encoder.columns if column.name == "when"]
    assert isinstance(column, DateColumn)
    assert column.date_format == form
