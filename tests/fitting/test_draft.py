"""The YAML of a drafted configuration; its wording is pinned here."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.config.yaml.parser import parse
from nncli.fitting.draft import draft_config
from nncli.fitting.table_summary import summarize_table

CLASSES = """\
# t.csv: 40 rows, 4 columns.
# Target: kind, classification, 2 classes: a (20 rows), b (20 rows).

data:
  path: t.csv
  target: kind
  drop:  # columns not used
    - id  # a different value in every row
  # Features:
  #   flag  boolean  yes, no
  #   x     numeric  0 to 19.5, median 9.75
  # To change the kind of a column, add:  columns: {flag: ignore}

seed: 0         # random seed
output: runs/t  # run directory; -2, -3 … is appended if it exists

# Options: remove the # to set one. `nncli config show` prints all keys.
# quality: balanced       # fast: an ensemble of 4, trained less; balanced: of up to 8
# epochs: 100             # passes over the training rows; default: chosen by the number of rows
# layers: [64, 32]        # units of each hidden layer, without the preset tabular
# class_weight: balanced  # all classes have the same total weight
"""


def draft(folder: Path, target: str, preset: str | None = None) -> str:
    path = folder / "t.csv"
    rows = (f"{i},{'yes' if i % 3 else 'no'},{i / 2},{'ab'[i % 2]}" for i in range(40))
    path.write_text("\n".join(["id,flag,x,kind", *rows]) + "\n")
    summary = summarize_table(path, [target])
    return draft_config(summary, path="t.csv", name="t", preset=preset, quality=None, extra={})


def test_the_comments_describe_the_table_and_the_options(tmp_path: Path) -> None:
    assert draft(tmp_path, "kind") == CLASSES


def test_the_textbook_preset_lists_its_settings(tmp_path: Path) -> None:
    text = draft(tmp_path, "x", "textbook")
    document = parse(text, "c.yaml").value
    assert (document["preset"], document["layers"], document["validation"]) == ("textbook", [64, 32], 0.2)
    assert "class_weight" not in text


def test_extra_keys_replace_the_suggested_ones(tmp_path: Path) -> None:
    draft(tmp_path, "x")
    summary = summarize_table(tmp_path / "t.csv", ["x"])
    extra = {"seed": 3, "epochs": 7}
    text = draft_config(summary, path="t.csv", name="t", preset=None, quality="fast", extra=extra)
    document = parse(text, "c.yaml").value
    assert (document["seed"], document["epochs"], document["quality"]) == (3, 7, "fast")
    assert "# epochs" not in text


def drafted_for(path: Path, words: tuple[str, str], *assignments: str) -> tuple[str, list[str]]:
    """The YAML for a target with two words, and the codes of the findings."""
    rows = (f"{words[i % 2]},{i * 7 % 11}" for i in range(40))
    path.write_text("\n".join(["returned,x", *rows]) + "\n")
    summary = summarize_table(path, ["returned"], assignments)
    extra = dict(text.split("=") for text in assignments)
    text = draft_config(summary, path="t.csv", name="t", preset=None, quality=None, extra=extra)
    return text, [finding.code.value for finding in summary.findings]


def test_the_word_for_yes_is_the_positive_class_although_it_comes_first(tmp_path: Path) -> None:
    text, codes = drafted_for(tmp_path / "t.csv", ("ja", "nein"))
    assert parse(text, "t.yaml").value["positive_class"] == "ja"
    assert codes == ["positive-class"]


@pytest.mark.parametrize(
    ("words", "assignments", "codes"),
    [
        (("no", "yes"), (), []),
        (("cat", "dog"), (), ["positive-class"]),
        (("ja", "nein"), ("positive_class=nein",), []),
    ],
)
def test_other_classes_keep_their_order(
    tmp_path: Path, words: tuple[str, str], assignments: tuple[str, ...], codes: list[str]
) -> None:
    text, told = drafted_for(tmp_path / "t.csv", words, *assignments)
    assert parse(text, "t.yaml").value.get("positive_class") == (assignments[0].split("=")[1] if assignments else None)
    assert told == codes
