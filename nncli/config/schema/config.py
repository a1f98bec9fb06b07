"""The top level of a configuration. Layers, losses, optimizers and schedules are the classes that implement them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from nncli.base.spec import (
    Calibration,
    Members,
    NonNegativeInt,
    NonNegativeSetting,
    PathText,
    PositiveInt,
    PositiveSetting,
    Spec,
    StrictBool,
    StrictStr,
)
from nncli.base.text import join_quoted
from nncli.config.schema.data import DataSection, EncodingSection
from nncli.config.schema.training import (
    AMOUNT,
    Bagging,
    Checkpoint,
    Duration,
    EarlyStopping,
    MemoryAmount,
    Teacher,
    Validation,
)
from nncli.data.splitting.folds import Bootstrap
from nncli.nn.activations import Activation, ElementwiseActivation, Relu
from nncli.nn.arrays import Backend, Direction, Precision
from nncli.nn.initializers import Initializer
from nncli.nn.layers.dense import Dense, Parametrization
from nncli.nn.layers.residual import Layer
from nncli.nn.losses import Loss, target_keys
from nncli.nn.numeric_embeddings import NumericEmbedding
from nncli.nn.optim.optimizers import Adam, Optimizer
from nncli.nn.optim.schedules import ConstantRate, Schedule

MAX_EPOCHS = 1_000_000_000


class Config(Spec):
    """A complete configuration. Every key except `data` has a default.

    `preset` and `quality` are null once the preset is merged into the other keys.
    """

    foreign_keys: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(
            ("target_transform", "transform_target", "log_target"),
            "Use the loss log_normal for a target whose logarithm should be learned: the predictions are means of the "
            "target itself, without a correction, and intervals are a factor around them.",
        )
        | {
            "task": "Leave it out: the target and the loss say whether a class or a number is predicted, and the loss "
            "binary_cross_entropy is for any number of labels of a row."
        }
    )
    """Keys of other libraries, and what is written here."""

    preset: Literal["tabular", "textbook"] | None = Field(
        None, description="Defaults of the other keys. Default: textbook if there are layers, else tabular."
    )
    quality: Literal["fast", "balanced"] | None = Field(
        None,
        description="Size of the preset tabular: an ensemble of 4 that is trained less, or of up to 8 (balanced, the "
        "default).",
    )

    code: tuple[PathText, ...] = Field(
        (),
        description="Python files with losses, metrics, layers or other parts, relative to this file. They are "
        "executed. The configuration of a run has none: the files that it needs are in its folder `code`.",
        exclude=True,
    )
    data: DataSection = Field(description="The table and the roles of its columns.")
    encoding: EncodingSection = Field(EncodingSection(), description="The encoding of features and target as numbers.")
    validation: Validation = Field(
        0.2,
        description="Fraction of the rows used for validation (stratified by class), a file, a fold, a bootstrap, "
        "or 0 for none.",
    )
    layers: tuple[Layer, ...] = Field(
        (Dense(units=64), Dense(units=32)),
        description="Hidden layers. 64 is short for a dense layer with 64 units; [] is a linear model.",
    )
    activation: ElementwiseActivation = Field(
        Relu(), description="Activation of the dense layers that do not set their own."
    )
    init: Initializer | None = Field(
        None,
        description="Initializer of the output layer and of the dense layers that do not set their own. "
        "Default: the one recommended for the activation.",
    )
    parametrization: Parametrization | None = Field(
        None,
        description="Parametrization, standard or ntk, of the output layer and of the dense layers that do not set "
        "their own. Default: standard.",
    )
    numeric_embedding: NumericEmbedding | None = Field(None, description="Embedding of numeric columns. null: none.")
    embedding_init_std: PositiveSetting | None = Field(
        None,
        description="Standard deviation of the initial embeddings of categories. Default: 1/sqrt of their width.",
    )
    loss: Loss | None = Field(
        None,
        description="Loss function. Default: mse for regression, cross_entropy for classification. Of several targets "
        "also a mapping, such as {price: gamma, sold: auto}; auto, and a target that is not in it, have the default. "
        "{type: survival, event: died} is for the time to an event, and cox with proportional hazards. "
        "binary_cross_entropy is for several labels: columns of yes and no, or one of labels separated by | or ; or ,.",
    )
    target_weights: dict[str, PositiveSetting] | None = Field(
        None,
        description="Weights of several targets in the loss, 1 for those that are not named. The loss of each is "
        "divided by that of its best constant prediction, so that they count the same whatever their units. "
        "null: all are 1.",
    )
    output_activation: Activation | None = Field(
        None, description="Activation of the output, for regression only. Default: the inverse link of the loss."
    )
    optimizer: Optimizer = Field(Adam(), description="Optimizer.")
    learning_rate: Schedule | None = Field(
        None, description="Learning rate: a number or a schedule. Default: depends on the optimizer."
    )
    batch_size: PositiveInt | Literal["full", "auto"] = Field(
        32, description="Rows in a mini-batch, or full for all rows. auto: depends on the number of training rows."
    )
    epochs: Annotated[PositiveInt, Field(le=MAX_EPOCHS)] | Literal["auto"] = Field(
        100,
        description="Passes over the training rows. auto: of an ensemble, those of as many cycles of the learning "
        "rate as lower the loss of out-of-fold rows, 252 at most; of one network 60; fewer for large tables.",
    )
    l1: NonNegativeSetting = Field(0.0, description="L1 penalty: adds l1 · Σ|w| to the loss; biases are not penalized.")
    l2: NonNegativeSetting = Field(
        0.0, description="L2 penalty: adds l2/2 · Σw² to the loss; biases are not penalized."
    )
    clip_norm: PositiveSetting | Literal["auto"] | None = Field(
        None,
        description="Largest norm of the gradient; a larger gradient is scaled down to it. null: no clipping. auto: 1 "
        "for a loss of counts or amounts, whose gradient grows exponentially, and no clipping for others.",
    )
    metric: StrictStr = Field(
        "auto",
        description="Metric that selects the best epoch, whose weights are kept, and that early stopping monitors: "
        "`loss`, `val_loss`, or a metric of the validation rows such as `accuracy`, `f1`, `roc_auc` or `rmse`. "
        "`calibrated_log_loss` is the log loss after temperature scaling, but `val_loss` for numbers and with "
        "class_weight. auto: `val_loss`, or `loss` without validation rows.",
    )
    best_epoch_tie: Literal["first", "last"] = Field(
        "first", description="Which epoch is the best one if several have the same metric."
    )
    average_cycles: StrictBool = Field(
        False,
        description="For an ensemble that is trained in cycles of the learning rate: average the networks at the ends "
        "of all cycles whose loss of the out-of-fold rows is at most two standard errors above the lowest, instead of "
        "those of the best cycle alone. It is more accurate, and predicts more slowly.",
    )
    early_stopping: EarlyStopping | None = Field(
        None, description="Early stopping. null: run all epochs; the weights of the best epoch are kept in any case."
    )
    class_weight: Literal["balanced"] | dict[str, NonNegativeSetting] | None = Field(
        None, description="Weights of the classes in the loss: balanced, or a weight for each class."
    )
    positive_class: StrictStr | None = Field(
        None,
        description="Of two classes the positive one, which f1, precision, recall and average_precision are about. "
        "null: the second one in order, such as 1, true or yes. A configuration that is drafted for a table names the "
        "one that means yes if it comes first, as ja before nein.",
    )
    monotone: dict[StrictStr, Direction] = Field(
        {},
        description="Columns of numbers or dates in which the prediction never falls (increasing) or never rises "
        "(decreasing) while the other columns stay as they are, whatever the table says, such as {age: increasing, "
        "km: decreasing}. The prediction is a number with all its quantiles, the probability of the positive class or "
        "of each label, or the order of ordered classes, or the time to an event; of several targets every one. The "
        "preset tabular then has other layers.",
    )
    interactions: tuple[tuple[StrictStr, ...], ...] = Field(
        (),
        description="Sets of columns that may act together: the output of the network is a sum of a function of each "
        "set, before the link of the loss. A column may be in several; those in none are a further set. "
        "[]: all columns act together.",
    )
    calibration: Calibration = Field(
        "none",
        description="Calibration of predicted probabilities. temperature: temperature scaling on the validation rows. "
        "auto: temperature, if there are probabilities and validation rows.",
    )
    precision: Precision = Field("float32", description="Floating-point type of all computations in the network.")
    on_divergence: Literal["stop", "halve_learning_rate"] = Field(
        "stop",
        description="What to do when training diverges: stop, or continue from the last good epoch with half the "
        "learning rate.",
    )
    checkpoint: Checkpoint = Field(
        Checkpoint(), description="When the state of training is saved, so that it can be resumed."
    )
    memory_limit: MemoryAmount = Field(
        "auto",
        description="Memory for encoded rows, such as 500 MiB; larger tables are kept in a file. "
        "auto: half of the free memory.",
        json_schema_extra={"pattern": rf"^\s*({AMOUNT.pattern})\s*$|^auto$"},
    )
    threads: Literal["auto"] | PositiveInt = Field(
        "auto", description="Threads that share each mini-batch. auto: one, or two for networks with long steps."
    )
    backend: Literal["auto"] | Backend = Field(
        "auto",
        description="numpy, or numba for compiled loops (pip install 'nncli-train[fast]'). auto: numba where it is "
        "faster.",
    )
    members: Literal["auto"] | Members = Field(
        1,
        description="Number of networks in the ensemble, whose predictions are averaged. auto: 8 for at most "
        "20,000 rows, 4 for at most 200,000, and 3 for more, each of which holds out 20,000 rows of its own.",
    )
    bagging: Literal["auto"] | Bagging = Field(
        "auto",
        description="How the networks of an ensemble differ. folds: each leaves out a fold (from six networks on, two "
        "leave out the same one); seeds: each has its own seed and validation rows; bootstrap: each draws its rows "
        "with replacement. auto: seeds with a validation file, data.time or without validation rows, else folds.",
    )
    workers: Literal["auto"] | PositiveInt = Field(
        "auto", description="Processes that train networks in parallel. auto: one per core."
    )
    teacher: Teacher | None = Field(
        None, description="Run whose predictions the network learns instead of the targets, for `nncli distill`."
    )
    time_limit: Duration | None = Field(
        None,
        description="Time for `train`, such as 60s, 5m or 1h, or a number of seconds: fewer epochs, networks and rows "
        "are used as needed. The configuration of the run has these numbers, and no limit. null: none.",
        json_schema_extra={"examples": ["60s", "5m", 30]},
    )
    seed: NonNegativeInt = Field(
        0, description="Random seed of the split, the initial weights, the shuffling and dropout."
    )
    output: PathText | None = Field(
        None, description="Run directory. Default: runs/NAME. If it exists, -2, -3 … is appended to the name."
    )

    private: StrictBool = Field(
        False, description="At the end of `train` or `distill`, remove rows, rare categories and paths from the run."
    )

    @field_validator("target_weights")
    @classmethod
    def _check_weighted(cls, value: dict[str, float] | None, info: ValidationInfo) -> dict[str, float] | None:
        """Weights are for several targets, and name some of them."""
        _check_names(value or (), info)
        return value

    @field_validator("loss")
    @classmethod
    def _check_loss(cls, value: Loss | None, info: ValidationInfo) -> Loss | None:
        """The columns that a loss names are others than the target, and each is named once; it names known targets."""
        if value is not None and "data" in info.data:
            _check_names(value.named_targets, info)
            target, *others = info.data["data"].target
            value.check_target_columns(target, tuple(others))
        return value

    @field_validator("interactions", mode="before")
    @classmethod
    def _check_sets(cls, value: object) -> object:
        if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
            raise ValueError("expected a list of sets of columns, found one set")
        return value

    @field_validator("interactions")
    @classmethod
    def _check_sets_differ(cls, value: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        sets = [frozenset(names) for names in value]
        for i, (names, members) in enumerate(zip(value, sets, strict=True)):
            if not names:
                raise ValueError("a set has no columns")
            if len(members) < len(names) or members in sets[:i]:
                what = "has a column twice" if len(members) < len(names) else "is there twice"
                raise ValueError(f"the set of {join_quoted(names)} {what}")
        return value

    @field_validator("monotone", "interactions")
    @classmethod
    def _check_features(cls, value: Any, info: ValidationInfo) -> Any:
        """All columns are features."""
        if (data := info.data.get("data")) is None:
            return value
        names = value if isinstance(value, dict) else dict.fromkeys(chain.from_iterable(value))
        if others := [name for name in names if name in data.excluded or name not in (data.features or (name,))]:
            is_one = len(others) == 1
            raise ValueError(
                f"it names {join_quoted(others)}, which {'is not a feature' if is_one else 'are no features'}"
            )
        return value

    @model_validator(mode="before")
    @classmethod
    def _add_target_columns(cls, document: Any) -> Any:
        """Add the columns that a loss names, such as that of the event, to the target, so that none is a feature."""
        loss, data = (document.get(key) if isinstance(document, Mapping) else None for key in ("loss", "data"))
        if not isinstance(loss, Mapping) or not isinstance(data, Mapping):
            return document
        target, named = data.get("target"), [loss.get(key) for key in target_keys(loss.get("type"))]
        names = [target] if isinstance(target, str) else target
        if not isinstance(names, list | tuple) or not names:
            return document
        added = dict.fromkeys(name for name in named if isinstance(name, str) and name not in names)
        return {**document, "data": {**data, "target": [*names, *added]}}

    @model_validator(mode="after")
    def _check_combinations(self) -> Config:
        if self.loss is not None:
            self.loss.check_output_activation(self.output_activation)
        if isinstance(self.validation, Bootstrap) and self.data.time is not None:
            raise ValueError("a bootstrap ignores time; validate on a fold or a fraction, or remove data.time")
        if self.teacher is not None and self.is_ensemble:
            raise ValueError("a teacher teaches one network; use one member, or remove the teacher")
        if self.teacher is not None and self.class_weight is not None:
            raise ValueError("class_weight is the teacher's: its predictions have it already; remove class_weight")
        return self

    def loss_of_target(self, name: str) -> Loss | None:
        """The configured loss of a target; None if its rows are to say."""
        return None if self.loss is None else cast("Loss | None", self.loss.of_target(name))

    def of_target(self, name: str, loss: Loss | None) -> Config:
        """The configuration for one of several targets, with its loss; the others are dropped."""
        others = tuple(other for other in self.data.target if other != name)
        order = self.data.order if loss is not None and "data.order" in loss.keys else None
        data = self.data.model_copy(update={"target": (name,), "drop": (*self.data.drop, *others), "order": order})
        return self.model_copy(update={"data": data, "loss": loss, "target_weights": None})

    @property
    def hidden_layers(self) -> tuple[Layer, ...]:
        """The layers, with activation, initializer and parametrization of every dense layer filled in."""
        defaults = {"activation": self.activation, "init": self.init, "parametrization": self.parametrization}
        return tuple(layer.with_defaults(defaults) for layer in self.layers)

    @property
    def schedule(self) -> Schedule:
        """The learning rate schedule; the default is a constant that depends on the optimizer."""
        return self.learning_rate or ConstantRate(peak=self.optimizer.default_learning_rate)

    @property
    def is_ensemble(self) -> bool:
        """Whether there are several networks, or as many as the table calls for."""
        return self.members == "auto" or self.members > 1

    @property
    def n_members(self) -> int:
        """The number of networks.

        Raises:
            ValueError: it depends on the table.
        """
        if self.members == "auto":
            raise ValueError("members: auto is not resolved")
        return self.members

    @property
    def bagging_mode(self) -> Bagging:
        """How the members of an ensemble differ, with auto resolved."""
        if self.bagging != "auto":
            return self.bagging
        fixed_rows = self.validation == 0.0 or not isinstance(self.validation, float) or self.data.time is not None
        return "seeds" if fixed_rows else "folds"


def _check_names(names: Iterable[str], info: ValidationInfo) -> None:
    """Raise an error if targets are named where there is one, or one that there is not."""
    targets = info.data["data"].target if "data" in info.data else ()
    named = list(names) if targets else []
    if named and len(targets) < 2:
        raise ValueError("it names targets, and there is one target")
    if others := [name for name in named if name not in targets]:
        raise PydanticCustomError("unknown_target", "unknown target", {"name": others[0], "targets": targets})
