"""Conditions above targets and losses whose result depends on the kind of target or loss: their number may only fall.

A room that calls a part of a target works for a kind that is added, and one that asks which kind it has must be visited
for it. kind_branches.json has the number of such conditions in each room. What only reading finds, as a local variable
or a dict of kinds, is not counted.
"""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nncli.nn.losses import Loss
from nncli.nn.losses.loss import LossBase
from nncli.targets.head import Head
from nncli.targets.kind import KindBase
from nncli.targets.target import KINDS
from nncli.targets.target_base import TargetBase
from nncli.targets.training import TrainingBase
from tests.cli.support import ROOT
from tests.test_architecture import trees
from tests.unions import members

RECORDED = Path(__file__).parent / "kind_branches.json"
BELOW = ("targets/", "nn/losses/")
FLAGS = {
    *(
        name
        for base in (TargetBase, LossBase)
        for name, annotation in base.__annotations__.items()
        if annotation == "ClassVar[bool]"
    ),
    *("baseline_noun", "last_event", "quantile_levels", "deviance_power", "interval_power", "valid_targets"),
    *("target_keys", "target_columns", "missing_key", "constant_outputs", "per_row_name", "loss_power"),
    "is_classification",
}
"""All flags of targets and losses, and what else is asked of a kind."""
PARTS = {"curve"}
"""The parts of targets that may be None, which `TargetBase.require` asks for and no room."""
CHECKS = {"is_whole", "is_relative"}
"""What is asked of a fitted target whatever its kind: whether a file has all of it, and whether a row has a context."""
RESULTS = {
    *("SurvivalCurves", "Threshold", "CostMatrix", "LabelThresholds", "RankCuts", "ClassificationScores"),
    *("PredictedClasses", "ClassificationLoss", "EventLoss", "DistributionLoss", "LocationScaleLoss", "AmountLoss"),
}
"""Classes of decisions, views and scores, and families of losses."""


BASES = {base for cls in (*members(Loss), *KINDS.values()) for base in cls.__mro__}
CLASSES = {*RESULTS, *(base.__name__ for base in BASES if issubclass(base, TargetBase | LossBase))}
"""Also all kinds and losses, and their bases."""


def question(test: ast.expr) -> str | None:
    """What a condition asks of a kind, or None."""
    for node in ast.walk(test):
        match node:
            case ast.Attribute(attr=attr) if attr in FLAGS:
                return attr
            case ast.Call(func=ast.Name(id="getattr" | "hasattr"), args=[_, ast.Constant(value=name), *_]) if (
                name in FLAGS
            ):
                return str(name)
            case ast.Call(func=ast.Name(id="type"), args=[ast.Name(id="loss" | "target" | "kind" as name)]):
                return f"type({name})"
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, classes]):
                names = {str(getattr(part, "id", getattr(part, "attr", ""))) for part in ast.walk(classes)}
                if names & CLASSES:
                    return f"isinstance {', '.join(sorted(names & CLASSES))}"
            case ast.Compare(
                left=ast.Attribute(value=ast.Name(id="target") | ast.Attribute(attr="target"), attr=attr),
                comparators=[ast.Constant(value=None)],
            ) if attr in PARTS:
                return attr
            case ast.Compare(left=left, comparators=others):
                if any(isinstance(each, ast.Attribute) and each.attr == "task" for each in (left, *others)):
                    return "task"
    return None


def conditions(node: ast.AST, *, is_inside: bool = False) -> Iterator[ast.expr]:
    """The conditions of a tree; those within another condition are not counted again."""
    tests: list[ast.expr] = []
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) | ast.Assert(test=test):
            tests = [test]
        case ast.comprehension(ifs=ifs):
            tests = ifs
        case ast.Match(subject=subject):
            tests = [subject]
        case ast.BoolOp() | ast.Compare() | ast.UnaryOp(op=ast.Not()) if not is_inside:
            tests = [node]
    yield from tests
    composed = isinstance(node, ast.BoolOp | ast.Compare | ast.UnaryOp)
    for child in ast.iter_child_nodes(node):
        yield from conditions(child, is_inside=is_inside or composed or any(child is test for test in tests))


def branches() -> Iterator[tuple[str, str]]:
    """The room of each condition, and where it is and what it asks."""
    for path, tree in trees().items():
        name = path.relative_to(ROOT / "nncli").as_posix()
        if name.startswith(BELOW):
            continue
        found = {(test.lineno, test.col_offset): test for test in conditions(tree) if question(test) is not None}
        for (line, _), test in sorted(found.items()):
            yield name.partition("/")[0], f"nncli/{name}:{line}: {ast.unparse(test)[:100]}"


def test_branches_on_the_kind_only_fall() -> None:
    found = [*branches()]
    counts, recorded = Counter(room for room, _ in found), json.loads(RECORDED.read_text())
    grown = {
        room: [where for each, where in found if each == room]
        for room, count in counts.items()
        if count > recorded.get(room, 0)
    }
    assert not grown, "\n".join(["more conditions ask for the kind:", *(w for where in grown.values() for w in where)])
    assert dict(sorted(counts.items())) == recorded, f"fewer conditions ask for the kind: write it into {RECORDED.name}"


def test_conditions_that_ask_for_a_kind_are_found() -> None:
    source = """
if loss.has_distribution and x > 1: pass
y = [a for a in b if isinstance(a, SurvivalLoss)]
z = 1 if not loss.task == "regression" else 2
w = type(target) is NumericTarget
assert getattr(loss, "starts_at_mean")
assert target.curve is not None
if x > 1: pass
"""
    asked = [question(test) for test in conditions(ast.parse(source))]
    assert [each for each in asked if each] == [
        *("has_distribution", "isinstance SurvivalLoss", "task", "type(target)", "starts_at_mean", "curve")
    ]


def test_no_flag_of_a_head_or_a_target_names_a_family_of_kinds() -> None:
    """A boolean that is true for some kinds is wrong for the next one; a part that does nothing is not."""
    flags = set[str]()
    for base in (Head, TargetBase, TrainingBase, KindBase):
        flags |= {name for name, kind in base.__annotations__.items() if kind in ("bool", "ClassVar[bool]")}
        properties = {name: each.fget for name, each in vars(base).items() if isinstance(each, property)}
        flags |= {name for name, read in properties.items() if read and read.__annotations__["return"] == "bool"}
    assert flags <= CHECKS
