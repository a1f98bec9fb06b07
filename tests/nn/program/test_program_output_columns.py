from __future__ import annotations

from nncli.nn.program.program import Bounds, Outputs


def test_columns_of_several_targets_are_those_of_predict() -> None:
    assert Outputs(("y", "z"), 3, 4, (0.05, 0.5), (Bounds(0.9, 5, 6),)).numbers == [
        ("prediction_y", 3, 0),
        ("prediction_z", 3, 1),
        ("quantile_05_y", 4, 0),
        ("quantile_50_y", 4, 1),
        ("quantile_05_z", 4, 2),
        ("quantile_50_z", 4, 3),
        ("lower_90_y", 5, 0),
        ("upper_90_y", 6, 0),
        ("lower_90_z", 5, 1),
        ("upper_90_z", 6, 1),
    ]


def test_columns_of_one_target_do_not_name_it() -> None:
    assert Outputs(("y",), 0, bounds=(Bounds(0.975, 1, 2),)).numbers == [
        ("prediction", 0, 0),
        ("lower_97.5", 1, 0),
        ("upper_97.5", 2, 0),
    ]


def test_probabilities_are_named_by_their_labels() -> None:
    assert Outputs(("y",), 1, labels=("a", "b"), codes=0).columns == [("proba_a", 1, 0), ("proba_b", 1, 1)]
    assert Outputs(("y",), None, labels=("a", "b"), codes=0).columns == []
