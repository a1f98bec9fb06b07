"""A run directory is read with suspicion: damaged, swapped, hostile or newer, it is refused, and nothing runs."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nncli import predict, train
from nncli.base.errors import Location, RunError
from nncli.data.sources.read_table import read_table
from nncli.data.table import Table
from nncli.models.model import FORMAT
from nncli.run_directory.loader import read_manifest
from nncli.run_directory.manifest import CONFIG, HISTORY, MANIFEST, METRICS, MODEL, WEIGHTS
from nncli.run_directory.run import Run
from tests.assertions import raises
from tests.cli.support import DATA
from tests.run_directory.support import Damage, change_manifest, changed, damaged, in_a_process_of_its_own, signed
from tests.thorough import every, partly

READ = (MODEL, WEIGHTS, MANIFEST)


@pytest.fixture
def copy(penguins: Path, tmp_path: Path) -> Path:
    """A run directory to be damaged."""
    return Path(shutil.copytree(penguins, tmp_path / "elsewhere" / "copy"))


def refused(run: Path) -> RunError:
    with pytest.raises(RunError) as caught:
        predict(run, DATA / "penguins.csv")
    assert caught.value.exit_code == 5
    assert caught.value.hint
    return caught.value


def file_of(error: RunError) -> str:
    """The name of the file that the error is about."""
    assert error.location
    return Path(error.location.source or "").name


def test_a_moved_run_directory_predicts_the_same(copy: Path, penguins: Path) -> None:
    table = DATA / "penguins.csv"
    assert predict(copy, table, proba=True).equals(predict(penguins, table, proba=True))


def test_a_run_directory_needs_only_model_weights_and_manifest_to_predict(copy: Path) -> None:
    for name in (CONFIG, HISTORY, METRICS):
        (copy / name).unlink()
    shutil.rmtree(copy / "checkpoints")
    assert len(predict(copy, DATA / "penguins.csv")) == 344


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: content[: len(content) // 2], id="truncated"),
        pytest.param(lambda content: b"\xff" + content, id="not text"),
        pytest.param(lambda content: b"[" * 100_000, id="deep"),
        pytest.param(lambda content: b"[]", id="a list"),
        pytest.param(lambda content: b"{}", id="an empty object"),
        pytest.param(changed(network__n_outputs=2), id="other outputs"),
        pytest.param(changed(network__n_features=3), id="other features"),
        pytest.param(changed(network__n_features=10**15, network__layers=[]), id="a network beyond memory"),
        pytest.param(changed(network__precision="float64"), id="other precision"),
        pytest.param(
            changed(network__layers=[{"type": "residual", "layers": [{"type": "dense", "units": 1}]}]),
            id="layers that cannot be",
        ),
        pytest.param(
            changed(network__embeddings=[{"name": "a", "n_embeddings": 3, "width": 2}]), id="an embedding of nothing"
        ),
        pytest.param(changed(target__labels=["a"]), id="one class"),
        pytest.param(changed(target__labels=["a", "b"]), id="fewer classes"),
        pytest.param(changed(loss={"type": "mse"}), id="a loss for numbers"),
        pytest.param(changed(encoder__columns__1__scale=-1.0), id="a negative scale"),
        pytest.param(changed(encoder__columns__1__edges=[2.0, 1.0]), id="edges that descend"),
        pytest.param(changed(encoder__columns__1__center=float("nan")), id="NaN"),
        pytest.param(changed(temperature=0.0), id="a temperature of 0"),
        pytest.param(changed(surprise=1), id="an unknown key"),
    ],
)
def test_an_invalid_model_is_refused_even_with_a_valid_checksum(copy: Path, damage: Damage) -> None:
    damaged(copy, MODEL, damage)
    assert file_of(refused(copy)) in (MODEL, WEIGHTS)


@pytest.mark.parametrize("name", [MODEL, MANIFEST])
def test_a_newer_format_asks_for_a_newer_nncli(copy: Path, name: str) -> None:
    (copy / name).write_bytes(changed(format=FORMAT + 1, whatever=1)((copy / name).read_bytes()))
    error = refused(copy)
    assert file_of(error) == name
    assert f"format {FORMAT + 1}" in error.message


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: b"[" * 100_000, id="deep"),
        pytest.param(lambda content: b"{}", id="an empty object"),
        pytest.param(changed(surprise=1), id="an unknown key"),
        pytest.param(changed(files={}), id="no checksums"),
        pytest.param(changed(files__weights="0"), id="a file that no run has"),
        pytest.param(changed(status="finished"), id="an unknown status"),
    ],
)
def test_an_invalid_manifest_is_refused(copy: Path, damage: Damage) -> None:
    (copy / MANIFEST).write_bytes(damage((copy / MANIFEST).read_bytes()))
    assert file_of(refused(copy)) in (MANIFEST, MODEL)


def test_an_inconsistent_regression_target_is_refused(line: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(line, tmp_path / "copy"))
    whole = (copy / MODEL).read_bytes()
    for change in (changed(target__scales=[1.0, 1.0]), changed(temperature=2.0)):
        (copy / MODEL).write_bytes(whole)
        damaged(copy, MODEL, change)
        with raises(RunError, file="model.json"):
            predict(copy, DATA / "linear.csv")


def test_an_embedding_of_columns_that_are_not_numeric_is_refused(line: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(line, tmp_path / "copy"))
    damaged(copy, MODEL, changed(network__numeric_features=[1], network__numeric_embedding={"type": "periodic"}))
    with raises(RunError, file="model.json"):
        predict(copy, DATA / "linear.csv")


def rewritten(copy: Path, change: Callable[[dict[str, Any]], object]) -> None:
    arrays = {name: array.copy() for name, array in safetensors.numpy.load_file(copy / WEIGHTS).items()}
    change(arrays)
    (copy / WEIGHTS).write_bytes(safetensors.numpy.save(arrays))
    signed(copy)


@pytest.mark.parametrize(
    ("change", "array"),
    [
        (lambda a: a.pop("output.bias"), "output.bias"),
        (lambda a: a.update(more=np.zeros(1, np.float32)), "more"),
        (lambda a: a.update({"output.bias": np.zeros(4, np.float32)}), "output.bias"),
        (lambda a: a.update({"output.bias": np.zeros(3, np.float64)}), "output.bias"),
        (lambda a: a["output.bias"].fill(np.nan), "output.bias"),
        (lambda a: a["output.weight"].fill(np.inf), "output.weight"),
        (lambda a: a["output.bias"].fill(-np.inf), "output.bias"),
    ],
)
def test_weights_that_do_not_fit_the_model_are_refused(
    copy: Path, change: Callable[[dict[str, Any]], object], array: str
) -> None:
    rewritten(copy, change)
    error = refused(copy)
    assert file_of(error) == WEIGHTS
    assert array in error.message


@pytest.mark.parametrize("name", READ)
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    assert name in str(refused(copy))
    (copy / name).mkdir()
    assert name in str(refused(copy))


# --- every bit


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose files are as small as they come."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "t.csv").write_text("x,y\n" + "".join(f"{n},{3 * n}\n" for n in range(20)))
    (folder / "c.yaml").write_text("data: {path: t.csv, target: y}\nlayers: []\nepochs: 1\n")
    return train(folder / "c.yaml", output=folder / "run").run


TABLE = read_table(DATA / "linear.csv", missing_values=())
XS = Table(TABLE.frame.select(x="x1"), "xs")


def answer(run: Path) -> bytes | None:
    """The predictions' bits, or None when the run is refused."""
    try:
        return Run.open(run).load_model().predict(XS).values.tobytes()
    except RunError:
        return None


def flips(content: bytes) -> Iterator[bytes]:
    for at in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[at] ^= 1 << bit
            yield bytes(flipped)


def tried(tiny: Path, folder: Path, name: str, contents: Iterator[bytes]) -> list[bytes]:
    """The contents of a file with which a run predicts, and not what it should. Files that are refused are right."""
    copy = Path(shutil.copytree(tiny, folder / "copy"))
    right, wrong = answer(tiny), []
    assert right is not None
    with (copy / name).open("wb", buffering=0) as file:
        for content in contents:
            file.seek(0)
            file.truncate()
            file.write(content)
            if answer(copy) not in (None, right):
                wrong.append(content)
    return wrong


@pytest.mark.slow
@partly
@pytest.mark.parametrize("name", READ)
def test_every_flipped_bit_is_detected_or_harmless(tiny: Path, tmp_path: Path, name: str) -> None:
    every_bit = flips((tiny / name).read_bytes())
    assert tried(tiny, tmp_path, name, islice(every_bit, None, None, every(23))) == []  # 23: other bits


@pytest.mark.slow
@pytest.mark.parametrize("name", [MODEL, WEIGHTS])
def test_every_flipped_bit_of_model_and_weights_is_detected(tiny: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(tiny, tmp_path / "copy"))
    for content in list(flips((tiny / name).read_bytes()))[::51]:
        (copy / name).write_bytes(content)
        assert answer(copy) is None


@pytest.mark.slow
@partly
def test_every_flipped_bit_of_the_manifest_is_detected_or_harmless(tiny: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny, tmp_path / "copy"))
    recorded = read_manifest(tiny)
    for content in islice(flips((tiny / MANIFEST).read_bytes()), None, None, every(23)):
        (copy / MANIFEST).write_bytes(content)
        with suppress(RunError):
            assert read_manifest(copy) == recorded


def test_a_manifest_without_its_checksum_is_refused(tiny: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny, tmp_path / "copy"))
    document = json.loads((copy / MANIFEST).read_bytes())
    assert document.pop("checksum")
    (copy / MANIFEST).write_text(json.dumps(document))
    with pytest.raises(RunError) as caught:
        read_manifest(copy)
    assert caught.value.location == Location(source=str(copy / MANIFEST))


@partly
@pytest.mark.parametrize("name", READ)
def test_every_truncation_is_detected(tiny: Path, tmp_path: Path, name: str) -> None:
    whole = (tiny / name).read_bytes()
    copy = Path(shutil.copytree(tiny, tmp_path / "copy"))
    for length in range(0, len(whole) - (name == MANIFEST), every(15)):  # the manifest's last line feed says nothing
        (copy / name).write_bytes(whole[:length])
        assert answer(copy) is None, length
    (copy / name).write_bytes(whole + b"\0")
    assert answer(copy) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", READ)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_any_damage_gives_the_same_prediction_or_a_run_error(
    copy: Path, penguins: Path, data: st.DataObject, name: str
) -> None:
    content = bytearray((penguins / name).read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(len(content) - 40, len(content)))
    (copy / name).write_bytes(bytes(content[:cut]))
    if data.draw(st.booleans()) and name != MANIFEST:
        signed(copy)
    try:
        Run.open(copy).load_model()
    except RunError:
        pass
    finally:
        for original in READ:
            (copy / original).write_bytes((penguins / original).read_bytes())


# --- swapped


@pytest.mark.parametrize("name", READ)
def test_a_file_of_another_run_is_refused(tiny: Path, tmp_path: Path, name: str) -> None:
    config = tiny.parent / "c.yaml"
    other = train(config, output=tmp_path / "other", set=["seed=1"]).run
    assert answer(other) != answer(tiny)
    if (other / name).read_bytes() == (tiny / name).read_bytes():
        pytest.fail("the runs are not different enough")
    copy = Path(shutil.copytree(tiny, tmp_path / "copy"))
    shutil.copy(other / name, copy / name)
    with raises(RunError, file=MODEL if name == MANIFEST else name):
        Run.open(copy).load_model()


# --- hostile


def safetensors_of(header: bytes, body: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + body


def test_a_duplicate_name_in_the_weights_is_refused(tiny: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny, tmp_path / "copy"))
    entry = '{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]}'
    bias, again = entry % (0, 4), entry % (4, 8)
    weight = '{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]}'
    header = f'{{"output.bias":{bias},"output.bias":{again},"output.weight":{weight}}}'.encode()
    (copy / WEIGHTS).write_bytes(safetensors_of(header, np.ones(3, np.float32).tobytes()))
    signed(copy)
    with raises(RunError, file="model.safetensors"):
        Run.open(copy).load_model()


@pytest.mark.parametrize("length", [10**9, 2**63, 2**64 - 1])
def test_a_header_that_claims_to_be_huge_is_refused(tiny: Path, tmp_path: Path, length: int) -> None:
    copy = Path(shutil.copytree(tiny, tmp_path / "copy"))
    content = (copy / WEIGHTS).read_bytes()
    (copy / WEIGHTS).write_bytes(struct.pack("<Q", length) + content[8:])
    signed(copy)
    with raises(RunError, file="model.safetensors"):
        Run.open(copy).load_model()


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("name", READ)
def test_a_pickle_is_refused_and_never_opened(tiny: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(tiny, tmp_path / "copy"))
    sprung = tmp_path / "sprung"
    (copy / name).write_bytes(pickle.dumps(Trap(sprung)))
    if name != MANIFEST:
        signed(copy)
    with pytest.raises(RunError):
        Run.open(copy).load_model()
    assert not sprung.exists()


@pytest.mark.skipif(os.name == "nt", reason="links want privileges")
@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("where", ["outside", "inside"])
def test_a_symbolic_link_is_refused(copy: Path, tmp_path: Path, name: str, where: str) -> None:
    target = (copy if where == "inside" else tmp_path) / "moved"
    (copy / name).rename(target)
    (copy / name).symlink_to(target)
    assert file_of(refused(copy)) == name


@pytest.mark.skipif(os.name == "nt", reason="named pipes")
@pytest.mark.parametrize("name", READ)
def test_a_pipe_that_would_never_end_is_refused(copy: Path, name: str) -> None:
    (copy / name).unlink()
    os.mkfifo(copy / name)
    assert file_of(refused(copy)) == name


LOAD = """
from nncli.base.errors import RunError
from nncli.run_directory.run import Run
try:
    Run.open(path).load_model()
except RunError as error:
    print(error.location.source)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("name", READ)
def test_memory_stays_bounded_when_a_file_is_huge(copy: Path, name: str) -> None:
    with (copy / name).open("r+b") as file:
        file.truncate(20 * 2**30)  # a hole: it takes no room on the disk
    source, peak = in_a_process_of_its_own(LOAD, copy)
    assert source == str(copy / name)
    assert peak < 256 * 2**20


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_network_beyond_memory_is_never_allocated(copy: Path) -> None:
    layers = [{"type": "dense", "units": 10**9, "activation": {"type": "relu"}}] * 3
    damaged(copy, MODEL, changed(network__layers=layers))
    source, peak = in_a_process_of_its_own(LOAD, copy)
    assert source in (str(copy / MODEL), str(copy / WEIGHTS))
    assert peak < 256 * 2**20


def integers(node: object, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The places of all integers of a JSON document."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from integers(value, (*way, key))
    if isinstance(node, int) and not isinstance(node, bool):
        yield way


MEMORY_AND_TIME = """
import resource, signal, sys
from pathlib import Path
from nncli.base.errors import RunError
from nncli.run_directory.run import Run
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
for path in map(Path, sys.argv[1].split(":")):
    signal.alarm(5)
    try:
        Run.open(path).load_model()
    except RunError as error:
        pass
print("all")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("name", [MODEL, MANIFEST])
def test_a_huge_number_in_a_file_neither_allocates_nor_loops(copy: Path, tmp_path: Path, name: str) -> None:
    """Every integer of the file is a trillion in turn."""
    content = (copy / name).read_bytes()
    paths: list[Path] = []
    for way in integers(json.loads(content)):
        run = Path(shutil.copytree(copy, tmp_path / f"run{len(paths)}"))
        change = changed(**{"__".join(map(str, way)): 10**12})
        if name == MANIFEST:
            change_manifest(run, change)
        else:
            damaged(run, name, change)
        paths.append(run)
    assert len(paths) > 3
    said, peak = in_a_process_of_its_own(MEMORY_AND_TIME, Path(":".join(map(str, paths))))
    assert said == "all"
    assert peak < 256 * 2**20


@pytest.mark.parametrize("members", [0, -1, 10_001, 10**12])
def test_a_number_of_members_that_no_configuration_has_is_refused(copy: Path, members: int) -> None:
    change_manifest(copy, changed(members=members))
    assert file_of(refused(copy)) == MANIFEST


TWICE: dict[str, Callable[[dict[str, Any]], None]] = {
    "a column": lambda d: d["encoder"]["columns"][1].update(name=d["encoder"]["columns"][0]["name"]),
    "a label": lambda d: d["target"]["labels"].__setitem__(1, d["target"]["labels"][0]),
    "a category": lambda d: next(c for c in d["encoder"]["columns"] if c["type"] == "categorical")["categories"].append(
        next(c for c in d["encoder"]["columns"] if c["type"] == "categorical")["categories"][0]
    ),
}


@pytest.mark.parametrize("change", TWICE.values(), ids=TWICE)
def test_a_model_with_a_name_twice_is_damaged(copy: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads((copy / MODEL).read_text())
    change(document)
    (copy / MODEL).write_text(json.dumps(document))
    signed(copy)

    assert file_of(refused(copy)) == MODEL
