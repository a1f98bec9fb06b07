from __future__ import annotations

from pathlib import PurePosixPath

import polars as pl
import pytest

from nncli.base.errors import DataError
from nncli.data.formats.streams import InputFile
from nncli.data.sources.files.partition import PartitionFile, key_types, parts_of


def parts(*names: str, folder: str = "data") -> tuple[PartitionFile, ...]:
    return parts_of([InputFile(None, name) for name in names], PurePosixPath(folder))


def test_folders_are_columns() -> None:
    (part,) = parts("data/year=2025/place=New%20York/a.csv")
    assert part.keys == {"year": "2025", "place": "New York"}
    assert list(part.keys) == ["year", "place"]
    assert part.label == "year=2025/place=New%20York/a.csv"


def test_only_the_last_folders_are_columns() -> None:
    (part,) = parts("lr=0.1/data/year=2025/a.csv")
    assert part.keys == {"year": "2025"}


def test_files_of_a_folder_of_a_key_have_the_column_too() -> None:
    (part,) = parts("data/year=2025/a.csv", folder="data/year=2025")
    assert (part.keys, part.label) == ({"year": "2025"}, "a.csv")


def test_files_on_a_server_have_their_keys() -> None:
    (part,) = parts("s3://bucket/t/year=2025/a.csv", folder="s3://bucket/t")
    assert (part.keys, part.label) == ({"year": "2025"}, "year=2025/a.csv")


def test_keys_are_integers_if_all_values_are() -> None:
    result = parts("d/y=2025/z=a/1.csv", "d/y=007/z=2/1.csv", "d/y=__HIVE_DEFAULT_PARTITION__/z=-1/1.csv", folder="d")
    assert key_types(result) == {"y": pl.Int64, "z": pl.String}
    assert result[2].keys["y"] is None


@pytest.mark.parametrize("value", ["", "1.5", "٣", "--1", "12345678901234567890"])
def test_other_values_are_text(value: str) -> None:
    assert key_types(parts(f"data/k={value}/a.csv")) == {"k": pl.String}


def test_a_file_without_the_keys_of_the_others_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        parts("data/year=2025/a.csv", "data/b.csv")
    assert caught.value.location is not None
    assert caught.value.location.source == "data/b.csv"
