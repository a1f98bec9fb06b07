"""What files give away is what disclosure.py says: real files are searched for marks of a table."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.numpy

from nncli import export, predict_to_file, report
from nncli.api.options import TrainOptions
from nncli.api.train import train_events_with
from nncli.base import plugins
from nncli.base.findings import FindingCode
from nncli.data.sources.read_table import read_table
from nncli.run_directory.disclosure import FILES, Content, Group, file_of
from nncli.run_directory.remedies import MeasuredRemedy, save_remedies
from nncli.run_directory.run import Run
from nncli.serving.app import build_app
from nncli.serving.models.reload import ModelSlot, ModelSlots
from nncli.serving.models.served_model import ServedModel
from nncli.serving.server_options import ServerOptions
from nncli.serving.state import ServerState
from tests.run_directory.support import marked_table
from tests.serving.asgi_client import AsgiClient

NUMBER = 987654.25
MARKS: Mapping[Content, tuple[bytes, ...]] = {
    Content.NAMES: (b"MARKNUM", b"MARKCAT", b"MARKTEXT", b"MARKDROP", b"MARKTARGET"),
    Content.CLASSES: (b"classa", b"rareclass"),
    Content.CATEGORIES: (b"commoncat1", b"rarecat", b"singlecat"),
    Content.WORDS: (b"frequentword",),
    Content.NUMBERS: (b"987654.25", b"987,654", struct.pack("<d", NUMBER), struct.pack("<f", NUMBER)),
    Content.PATHS: (b"markuser", b"markfolder"),
}
"""What is searched in the bytes of a file; marks of rows depend on the run."""


CODE = FindingCode
METRIC = Path(__file__).parents[2] / "examples" / "plugins" / "nncli-missed-cost" / "nncli_missed_cost.py"


@pytest.fixture(autouse=True)
def _no_plugins() -> Iterator[None]:
    yield
    plugins.reset()


def of_rows(run: Path, table: Path) -> Mapping[Content, tuple[bytes, ...]]:
    """The marks of rows: a cell that is no feature or word, the targets of validation rows, hashes."""
    held_out = safetensors.numpy.load((run / "held_out.safetensors").read_bytes())
    hashes = Run(run).load_model().hash_rows(read_table(str(table)))
    return {
        Content.ROWS: (b"dropcell", b"word solo", held_out["y"][:20].tobytes()),
        Content.HASHES: tuple(hash_.tobytes() for hash_ in hashes[:20]),
    }


def served(run: Path) -> Iterator[tuple[str, bytes]]:
    """The pages of a server."""
    state = ServerState(ModelSlots([ModelSlot(run, ServedModel.load("model", run))]), ServerOptions())
    client = AsgiClient(build_app(state))
    for page in ("/", "/docs", "/openapi.json"):
        answer = client.get(page)
        assert answer.status == 200
        yield page, answer.body
    state.batcher.close()


@pytest.mark.slow
def test_files_hold_what_their_descriptions_say_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "markuser"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USER", "markuser")
    for name in ("socket.gethostname", "platform.node"):
        monkeypatch.setattr(name, lambda: "markhost")
    monkeypatch.chdir(tmp_path)
    table = marked_table(home / "markfolder")
    given: dict[tuple[Group, str], set[Content]] = defaultdict(set)
    for members in (1, 2):
        run, exports = home / "runs" / str(members), home / f"exports{members}"
        changes = [
            "epochs=5",
            f"members={members}",
            "metric=missed_cost",
            "data.drop=[MARKDROP]",
            "class_weight={classa: 2}",
        ]
        command = ["nncli", "train", str(table), "--target", "MARKTARGET"]
        options = TrainOptions(target=("MARKTARGET",), set=changes, output=run, code=(METRIC,))
        list(train_events_with(table, options=options, command=command))
        marks = {**MARKS, **of_rows(run, table)}
        hidden = replace(options, output=home / f"private{members}", private=True)
        list(train_events_with(table, options=hidden))
        remedy = MeasuredRemedy(CODE.TARGET_LEAKAGE, ('data.features=["MARKNUM"]',), ("--positive", "classa"))
        save_remedies(run, Run(run).load_manifest(), [remedy])
        key = home / f"private{members}" / "training_rows.key"
        files: list[tuple[Group, str, bytes]] = [("served page", *page) for page in served(run)]
        files += [("run", path.relative_to(run).as_posix(), path.read_bytes()) for path in run.rglob("*.*")]
        files.append(("run", key.name, key.read_bytes()))
        report(run)
        files += [("report", name, (run / name).read_bytes()) for name in ("report.html", "report.md")]
        exports.mkdir()
        for suffix in ("onnx", "mjs", "html", "c", "py"):
            path = exports / f"model.{suffix}"
            export(run, path, check=False)
            files.append(("export", path.name, path.read_bytes()))
        predict_to_file(run, table, exports / "predictions.csv", profile=exports / "profile.json")
        files.append(("profile", "profile.json", (exports / "profile.json").read_bytes()))
        for group, path_, content in files:
            assert b"markhost" not in content, path_
            pattern = file_of(group, path_).pattern
            given[group, pattern].update(kind for kind, mark in marks.items() if any(part in content for part in mark))
    claimed = {(file.group, file.pattern): set(file.holds) for file in FILES}
    differences = [
        f"{key}: {sorted(given[key] ^ claimed.get(key, set()))}" for key in given if given[key] != claimed.get(key)
    ]
    assert not differences, "\n".join(differences)
    assert given.keys() == claimed.keys()
