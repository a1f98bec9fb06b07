"""The peers' scores of both forms of file become errors of tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from default import peers_of

METAS = {
    "n-0": {"name": "n", "task": "regression", "target": "y"},
    "n-1": {"name": "n", "task": "regression", "target": "y"},
    "c": {"name": "c", "task": "binary", "target": "y"},
}


def test_without_a_file_nobody_has_a_score(tmp_path: Path) -> None:
    assert peers_of(tmp_path / "absent.csv", tmp_path, METAS) == {"error": {}, "log_loss": {}}


def test_a_root_of_a_mean_square_becomes_a_share_of_the_variance(tmp_path: Path) -> None:
    for split, values in enumerate(("1\n3\n", "1\n5\n")):  # variances 1 and 4
        (tmp_path / f"n-{split}").mkdir()
        (tmp_path / f"n-{split}" / "test.csv").write_text("y\n" + values)
    path = tmp_path / "peers.csv"
    path.write_text("name,split,model,error,log_loss\nn,0,m,0.5,\nn,1,m,1,\nother,0,m,9,\n")
    assert peers_of(path, tmp_path, METAS)["error"] == {"n": {"m": pytest.approx(0.25)}}


def test_accuracies_of_several_seeds_become_a_mean_error(tmp_path: Path) -> None:
    path = tmp_path / "baselines.csv"
    rows = ["c,m,0,accuracy,0.9,1", "c,m,1,accuracy,0.7,1", "c,m,0,log_loss,0.4,1"]
    path.write_text("dataset,model,seed,metric,value,fit_s\n" + "\n".join(rows) + "\n")
    result = peers_of(path, tmp_path, METAS)
    assert result["error"] == {"c": {"m": pytest.approx(0.2)}}
    assert result["log_loss"] == {"c": {"m": 0.4}}
