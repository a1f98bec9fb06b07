from __future__ import annotations

from pathlib import Path

import pytest

from nncli.base import plugins
from nncli.base.errors import UsageError
from nncli.data.formats.registry import FORMATS, Format, format_of, writable_format


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", Format.CSV),
        ("a.tsv.gz", Format.CSV),
        ("a.b.TXT", Format.CSV),
        ("a.parquet", Format.PARQUET),
        ("a.jsonl", Format.JSONL),
        ("a.ndjson.gz", Format.JSONL),
        ("a.csv.zst", Format.CSV),
        ("a.CSV.BZ2", Format.CSV),
        ("a.jsonl.xz", Format.JSONL),
        ("a.feather", Format.ARROW),
        ("a.arrows.gz", Format.ARROW),
        ("a.avro", "avro"),
    ],
)
def test_the_name_says_the_format(name: str, expected: str) -> None:
    assert format_of(Path(name)) == expected


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.gz", "csv"])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        format_of(Path(name))
    assert ".csv, .tsv" in str(caught.value.hint)


def test_a_workbook_is_no_format_to_write() -> None:
    with pytest.raises(UsageError) as caught:
        format_of(Path("a.XLSX"))
    assert "not written" in str(caught.value.hint)


def test_a_folder_without_a_suffix_is_called_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="this is a folder, not a file"):
        format_of(tmp_path)


def test_a_misspelled_suffix_is_told_its_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        format_of(Path("a.cvs"))
    assert "Did you mean .csv?" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["a.parquet.gz", "a.avro.zst"])
def test_what_is_compressed_already_is_refused_inside_a_compressed_file(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        format_of(Path(name))
    assert f"leave out the {Path(name).suffix}" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["a.avro", "a.arrows"])
def test_what_is_only_read_is_not_written(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        writable_format(Path(name))
    assert ".arrow" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["a.csv.zip", "a.zip"])
def test_a_zip_is_not_written(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        format_of(Path(name))
    assert "a.csv.gz" in str(caught.value.hint)


def test_a_format_of_a_file_that_has_changed_is_loaded_again(tmp_path: Path) -> None:
    file = tmp_path / "listing.py"
    for suffix in (".first", ".second"):
        file.write_text(
            "from nncli.extend import FormatKind\n"
            f"LISTING = FormatKind(({suffix!r},), 'nncli.data.formats.jsonlines:JsonLinesFormat', name='listing')\n"
        )
        plugins.load_file(file)

        assert format_of(Path(f"table{suffix}")) == Format("listing") == "listing"
        assert FORMATS["listing"].suffixes == (suffix,)
    with pytest.raises(UsageError):
        format_of(Path("table.first"))
    plugins.reset()
    with pytest.raises(UsageError):
        format_of(Path("table.second"))
    with pytest.raises(ValueError, match="listing"):
        Format("listing")


def test_a_format_of_an_integration_is_found_again_once_plugins_are_forgotten() -> None:
    for _ in range(2):
        assert format_of(Path("a.avro")) == "avro"
        assert not FORMATS["avro"].is_written
        plugins.reset()
