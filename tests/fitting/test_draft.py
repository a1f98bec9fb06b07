"""The YAML of a drafted configuration; its wording is pinned here."""

from __future__ import annotations

from pathlib import Path

from nncli.config.yaml.parser import parse
from nncli.fitting.draft import draft_config, summarize_table

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
# quality: balanced       # fast: an ensemble of 4, trained less; balanced: of up to 8; best: of 20
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
