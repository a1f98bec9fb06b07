"""What is asked of a calibrated model: levels of intervals or sets, and the rows for which coverage holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from nncli.base.errors import Advice, UsageError
from nncli.base.option import UNCERTAINTY, ConformityScore, Option, Options
from nncli.base.text import percent_digits, quote

if TYPE_CHECKING:
    from nncli.targets.target import Target

Taxonomy: TypeAlias = Literal["class", "group"]
"""What coverage holds for, if it is not all rows together."""


@dataclass(frozen=True, kw_only=True)
class UncertaintyOptions(Options):
    """The levels of prediction intervals and of prediction sets, such as 0.9, and how they are calibrated."""

    interval: Annotated[
        float | Sequence[float],
        Option(
            "Prediction intervals that cover this share of new rows, such as 0.9; of a time to an event a lower bound. "
            "Repeatable.",
            UNCERTAINTY,
            metavar="LEVEL",
            http="A level such as 0.9: adds an interval that holds so many of the true values, as lower_90 and "
            "upper_90; of a time to an event lower_90 alone. May be repeated.",
            needs="interval",
        ),
    ] = ()
    prediction_set: Annotated[
        float | Sequence[float],
        Option(
            "Sets of classes that cover this share of new rows, such as 0.9. Repeatable.",
            UNCERTAINTY,
            metavar="LEVEL",
            http="A level such as 0.9: adds the classes that cannot be excluded, as set_90. A set may be empty: then "
            "no class is probable enough, so the prediction is uncertain. May be repeated.",
            needs="prediction_set",
        ),
    ] = ()
    by: Annotated[
        str | None,
        Option("Calibrate the rows of each value of a column separately.", UNCERTAINTY, metavar="COLUMN"),
    ] = None
    per_class: Annotated[
        bool,
        Option(
            "Cover this share of the rows of each class.",
            UNCERTAINTY,
            http="With prediction_set: the sets cover the rows of each class alike, also of rare ones.",
            needs="prediction_set",
        ),
    ] = False
    conformity_score: Annotated[
        ConformityScore,
        Option(
            "Score of a class for --prediction-set. lac: 1 - its probability, the smallest sets; aps: adaptive "
            "prediction sets.",
            UNCERTAINTY,
            http="With prediction_set: lac makes small sets; those of aps grow with the uncertainty of a row.",
            needs="prediction_set",
        ),
    ] = "lac"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("interval", "prediction_set"):
            object.__setattr__(self, name, _levels(getattr(self, name)))

    @classmethod
    def of_level(cls, option: Literal["interval", "prediction_set"], level: float) -> Self:
        """The options that ask for a level of intervals or of sets."""
        return cls(interval=level) if option == "interval" else cls(prediction_set=level)

    @property
    def uncertainty(self) -> UncertaintyOptions:
        """These options alone, which are what a model is calibrated for."""
        return UncertaintyOptions(**{field.name: getattr(self, field.name) for field in fields(UncertaintyOptions)})

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels whose columns have distinct names, in the order given; a target has intervals or sets."""
        return tuple({percent_digits(level): level for level in _levels(self.interval or self.prediction_set)}.values())

    @property
    def part(self) -> Taxonomy | None:
        """What coverage holds for; None for all rows together."""
        return "class" if self.per_class else None if self.by is None else "group"

    @property
    def of_sets(self) -> str | None:
        """The name of an option that is given and for sets alone."""
        return "per_class" if self.per_class else "conformity_score" if self.conformity_score != "lac" else None

    def of_target(self, target: Target) -> Self:
        """The options for one of several targets: intervals of numbers, and sets of classes."""
        others = {"prediction_set": (), "per_class": False} if "interval" in target.gives else {"interval": ()}
        alone = replace(self, **others)
        return alone if alone.levels else replace(alone, by=None, per_class=False, conformity_score="lac")

    def check_any(self, targets: Sequence[Target]) -> None:
        """Raise a UsageError if intervals or sets are asked for, and fit none of several targets."""
        for kind in ("interval", "prediction_set"):
            if getattr(self, kind) and targets and all(kind not in target.gives for target in targets):
                self.check(targets[0])

    def check(self, target: Target) -> None:
        """Raise a UsageError if the options do not fit each other or the target."""
        use = UncertaintyOptions.use
        for name, levels in (("interval", self.interval), ("prediction_set", self.prediction_set)):
            for level in _levels(levels):
                if not 0.0 < level < 1.0:
                    valid = float(f"{level / 100:g}") if 1.0 < level < 100.0 else 0.9
                    raise UsageError(
                        Advice(use(name, f"{level:g}"), " is not a level: it must lie between 0 and 1"),
                        hint=Advice(f"For {100 * valid:g} % write ", use(name, valid), "."),
                    )
        method = target.uncertainty()
        field = None if method is None else method.option
        instead = None if field is None else Advice("Use ", use(field, 0.9), ".")
        if self.prediction_set:
            target.require("prediction_set", use("prediction_set"), instead)
        if self.interval:
            target.require("interval", use("interval"), instead)
        if self.per_class and self.by is not None:
            raise UsageError(
                Advice(use("per_class"), " and ", use("by"), " exclude each other"), hint="Leave one of them out."
            )
        if not self.prediction_set and self.of_sets is not None:
            hint = (
                Advice("Add ", use("prediction_set", 0.9))
                if field == "prediction_set"
                else Advice("Remove ", use(self.of_sets))
            )
            raise UsageError(Advice(use(self.of_sets), " is for prediction sets of classes"), hint=Advice(hint, "."))
        if self.by in target.names:
            raise UsageError(
                Advice(use("by"), f" {quote(self.by)} is the target, which new rows do not have"),
                hint=Advice("Use ", use("per_class"), ".") if field == "prediction_set" else "Name another column.",
            )
        if not self.levels and self.by is not None:
            advice = "Leave it out." if field is None else Advice("Add ", use(field, 0.9), ".")
            raise UsageError(Advice(use("by"), " is for prediction intervals and sets"), hint=advice)


def _levels(levels: Any) -> tuple[float, ...]:
    """One or several levels, also of NumPy, as the numbers that they are printed as: 0.9 for np.float32(0.9)."""
    is_one = isinstance(levels, str) or not hasattr(levels, "__iter__") or getattr(levels, "ndim", 1) == 0
    return tuple(float(str(level)) for level in ((levels,) if is_one else levels))
