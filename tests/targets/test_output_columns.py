from __future__ import annotations

from collections.abc import Sequence

from nncli.nn.program.program import OutputColumn, groups_of, targets_of
from nncli.targets.classes import ClassificationTarget
from nncli.targets.output_columns import IntervalNodes, OutputNodes, number_columns

QUANTILES = OutputNodes(3, 3, 4, (0.05, 0.5), bounds=(IntervalNodes(0.9, 5, 6),))
CLASSES = ClassificationTarget(name="y", labels=("a", "b"))


def places(columns: Sequence[OutputColumn]) -> list[tuple[str, int, int]]:
    return [(column.title, column.node, column.place) for column in columns]


def test_columns_of_several_targets_are_those_of_predict() -> None:
    columns = number_columns(("y", "z"), QUANTILES)
    assert places(columns) == [
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
    assert targets_of(columns) == ["y", "z"]
    assert [column.level for column in columns if column.target == "z"] == [None, 0.05, 0.5, 0.9, 0.9]


def test_columns_of_one_target_do_not_name_it() -> None:
    assert places(
        number_columns(("y",), OutputNodes(0, 0, standard_deviations=3, bounds=(IntervalNodes(0.975, 1, 2),)))
    ) == [
        ("prediction", 0, 0),
        ("sd", 3, 0),
        ("lower_97.5", 1, 0),
        ("upper_97.5", 2, 0),
    ]


def test_a_class_is_beside_the_probabilities_of_its_labels() -> None:
    numbers, classes, probabilities = groups = groups_of(CLASSES.program_outputs(OutputNodes(1, 0)))
    assert numbers == ()
    assert places(classes) == [("prediction", 0, 0)]
    assert places(probabilities) == [("proba_a", 1, 0), ("proba_b", 1, 1)]
    assert groups.labels == groups_of(probabilities).labels == ("a", "b")
    assert groups_of(probabilities).label_type == "text"
