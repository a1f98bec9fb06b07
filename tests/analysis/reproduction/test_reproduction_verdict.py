"""Verdicts, their exit codes and their words."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest

from nncli.analysis.reproduction.checks import ProvenanceCheck
from nncli.analysis.reproduction.comparison import FileDifference
from nncli.analysis.reproduction.reproduction import TOLERANCE, Reproduction, ReproductionVerdict

NUMPY = ProvenanceCheck("version", "numpy", "2.1.0", "2.2.0")
WEIGHTS = ProvenanceCheck("file", "model.safetensors", "a", "b")
HISTORY = FileDifference("history.csv", 1e-2, "loss", 9, 4, 0.5, 0.6)
SAME = (FileDifference("history.csv", 0.0, epochs=9), FileDifference("model.safetensors", 0.0))


def result(
    *comparisons: FileDifference, checks: tuple[ProvenanceCheck, ...] = (), quick: int | None = None
) -> Reproduction:
    return Reproduction(Path("run"), checks, comparisons, 1.0, quick)


@pytest.mark.parametrize(
    ("reproduction", "verdict", "code", "sentence"),
    [
        (result(*SAME), "identical", 0, "identical to the bit"),
        (
            result(*SAME, checks=(NUMPY,)),
            "identical",
            0,
            "identical to the bit, although numpy differs (2.1.0 then, 2.2.0 now)",
        ),
        (result(SAME[0], quick=1), "identical", 0, "in the first epoch identical to the bit"),
        (result(SAME[0], quick=3), "identical", 0, "in the first 3 epochs identical to the bit"),
        (
            result(HISTORY, FileDifference("model.safetensors", 3e-6, "W"), checks=(NUMPY,)),
            "close",
            6,
            "the same within 1e-5, because numpy differs (2.1.0 then, 2.2.0 now)",
        ),
        (
            result(SAME[0], FileDifference("model.safetensors", 3e-6, "W")),
            "close",
            6,
            "the same within 1e-5, and nothing that the run records differs",
        ),
        (
            result(HISTORY, FileDifference("model.safetensors", 0.5, "W"), checks=(NUMPY,)),
            "different",
            1,
            "differs from epoch 4 on (loss 0.5 then, 0.6 now), because numpy differs (2.1.0 then, 2.2.0 now)",
        ),
        (
            result(SAME[0], FileDifference("model.safetensors", inf, "W"), checks=(NUMPY,)),
            "different",
            1,
            "differs after the last epoch, in model.safetensors, because numpy differs (2.1.0 then, 2.2.0 now)",
        ),
        (
            result(*SAME, checks=(WEIGHTS,)),
            "different",
            1,
            "not the run that was trained: model.safetensors was changed after the training; training again is "
            "identical to the bit with what the run recorded",
        ),
        (
            result(SAME[0], checks=(WEIGHTS, NUMPY), quick=1),
            "different",
            1,
            "not the run that was trained: model.safetensors was changed after the training; training again is "
            "identical to the bit with what the run recorded in the first epoch, although numpy differs (2.1.0 then, "
            "2.2.0 now)",
        ),
    ],
)
def test_a_verdict_has_an_exit_code_and_a_sentence(
    reproduction: Reproduction, verdict: str, code: int, sentence: str
) -> None:
    assert (reproduction.verdict.value, reproduction.exit_code, reproduction.sentence) == (verdict, code, sentence)
    assert reproduction.json()["sentence"] == sentence


def test_the_first_epoch_that_differs_is_that_of_the_member_that_differs_first() -> None:
    late, early = (
        FileDifference("members/1/history.csv", 1.0, "loss", 9, 7, 1.0, 2.0),
        FileDifference("members/2/history.csv", 1.0, "number of epochs", 9, 3),
    )
    single = result(late, early)
    assert single.first_difference is early
    assert single.json()["first_epoch"] == 3
    assert single.sentence.startswith("differs from epoch 3 on in members/2, ")


def test_losses_and_metrics_do_not_decide_where_weights_differ_little() -> None:
    weights = FileDifference("members/1/model.safetensors", TOLERANCE, "W")
    assert result(HISTORY, weights, FileDifference("metrics.json", inf)).verdict is ReproductionVerdict.CLOSE
    assert result(HISTORY).verdict is ReproductionVerdict.DIFFERENT
    assert result(*SAME, FileDifference("metrics.json", inf)).verdict is ReproductionVerdict.DIFFERENT


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [(3e-6, ReproductionVerdict.CLOSE), (0.5, ReproductionVerdict.DIFFERENT), (inf, ReproductionVerdict.DIFFERENT)],
)
@pytest.mark.parametrize("file", ["reference.safetensors", "metrics.json", "another.file"])
def test_a_file_that_alone_differs_decides(file: str, difference: float, verdict: ReproductionVerdict) -> None:
    single = result(*SAME, FileDifference(file, difference))
    assert (single.verdict, single.difference) == (verdict, difference)
    assert single.json()["sentence"] == single.sentence


def test_numbers_that_agree_in_many_digits_are_told_apart() -> None:
    single = result(FileDifference("history.csv", 1.0, "loss", 2, 1, 0.14075103, 0.14075111))
    assert "(loss 0.140751 then, 0.1407511 now)" in single.sentence


def test_a_configuration_that_was_changed_is_named_once() -> None:
    checks = (
        ProvenanceCheck("configuration", "configuration", "a", "changed"),
        ProvenanceCheck("file", "config.yaml", "a", "b"),
    )
    assert result(HISTORY, checks=checks).causes == ("the configuration was changed after the training",)
    assert result(*SAME, checks=checks[1:]).causes == ("config.yaml was changed after the training",)


@pytest.mark.parametrize(
    ("check", "cause"),
    [
        (ProvenanceCheck("table", "table", "a", "b"), "the table differs"),
        (ProvenanceCheck("table", "table", "a", "b", "'x.csv'"), "the table differs: 'x.csv'"),
        (ProvenanceCheck("file", "model.json", "a", None), "model.json is missing"),
        (
            ProvenanceCheck("machine", "BLAS kernel", "Haswell", None),
            "the BLAS kernel differs (Haswell then, none now)",
        ),
    ],
)
def test_each_kind_of_difference_has_its_words(check: ProvenanceCheck, cause: str) -> None:
    assert check.differs
    assert check.cause == cause


def test_what_a_run_does_not_record_is_no_difference() -> None:
    assert not ProvenanceCheck("machine", "BLAS kernel", None, "Haswell").differs
