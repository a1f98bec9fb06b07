"""Differences between the configurations of several runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nncli.base.spec import non_defaults
from nncli.config.schema import Config
from nncli.config.yaml.writer import dump_scalar
from nncli.fitting.prepare.validation import monitor_name
from nncli.nn.losses import Loss
from nncli.targets.target import kind_of

IGNORED_KEYS = frozenset({"output", "workers", "threads", "memory_limit", "checkpoint", "layers"})
"""Keys that do not affect the result, and the layers, which are compared separately."""
COLUMNS, LAYERS = "data.columns.", "layers."
LAYER_DEFAULTS = ("activation", "init", "parametrization")
"""Keys with defaults for all layers."""


@dataclass(frozen=True)
class Setting:
    """A key with dots, such as `optimizer.type`, and its value in each run as YAML; None where the run has none."""

    key: str
    values: tuple[str | None, ...]


@dataclass(frozen=True)
class ResolvedConfig:
    """A run's configuration; for an ensemble, `auto` values are resolved by that of its first `member`."""

    config: Config
    member: Config | None = None

    @property
    def network(self) -> Config:
        """The configuration that has the layers of the network."""
        return self.config if self.member is None else self.member

    @property
    def loss(self) -> Loss | None:
        """The loss, if it is resolved."""
        if self.config.loss is None and self.member is not None:
            return self.member.loss
        return self.config.loss


def config_diff(configs: Sequence[ResolvedConfig | None]) -> tuple[Setting, ...]:
    """The keys whose values differ between the known configurations, in the order of the schema.

    If all have the same sequence of layer types, layers are compared by key, such as `layers.1.units`, else as a whole.
    A key that only some configurations have, such as the momentum of one optimizer, is listed if it is not at its
    default; the kind of a column, if all tables have the column.
    """
    present = [resolved for resolved in configs if resolved is not None]
    alike = len({_kinds(resolved.network.layers) for resolved in present}) == 1
    layers = _by_key if alike else _in_line
    settings = [
        None if resolved is None else {**dict(_flat(resolved)), **dict(layers(resolved.network))}
        for resolved in configs
    ]
    explicit = {key for resolved in present for key, _ in _pairs(non_defaults(resolved.config))}
    all_values = [values for values in settings if values is not None]
    order = {name: i for i, name in enumerate(Config.model_fields)}
    keys = sorted(
        dict.fromkeys(key for values in all_values for key in values),
        key=lambda key: (order[key.partition(".")[0]], _indices(key)),
    )  # a stable sort keeps the keys of a section together

    def differs(key: str) -> bool:
        values_of_key = [values.get(key) for values in all_values]
        if None in values_of_key and not key.startswith(LAYERS):
            return key in explicit and not key.startswith(COLUMNS)
        return len(set(values_of_key)) > 1

    return tuple(
        Setting(key, tuple(None if values is None else values.get(key) for values in settings))
        for key in keys
        if differs(key)
    )


def _flat(resolved: ResolvedConfig) -> Iterator[tuple[str, str]]:
    """Every key but those of the layers, with its value."""
    config, document = resolved.config, resolved.config.model_dump(mode="json")
    if resolved.member is not None:
        document = _filled(document, resolved.member.model_dump(mode="json"))
    if not config.is_ensemble:
        del document["bagging"]
    else:
        document["bagging"] = config.bagging_mode
    if (loss := resolved.loss) is not None:
        has_validation = config.validation != 0.0 or (config.is_ensemble and config.bagging_mode != "seeds")
        document["metric"] = monitor_name(config, kind_of(loss), has_validation=has_validation)
        calibrates = config.calibration == "temperature" or (
            config.calibration == "auto" and kind_of(loss).has_probabilities and has_validation
        )
        document["calibration"] = "temperature" if calibrates else "none"
    yield from _pairs(document)


def _indices(key: str) -> list[int]:
    """The indices in the key of a layer, for sorting."""
    return [int(part) for part in key.split(".") if part.isdigit()] if key.startswith(LAYERS) else []


def _kinds(layers: Sequence[Any]) -> tuple[object, ...]:
    """The types of layers, and of the layers inside them."""
    return tuple((layer.type, _kinds(getattr(layer, "layers", ()))) for layer in layers)


def _in_line(config: Config) -> Iterator[tuple[str, str]]:
    """All layers as one value in short form."""
    common = {key: non_defaults(getattr(config, key)) for key in LAYER_DEFAULTS}
    yield "layers", in_line([_short(non_defaults(layer), common) for layer in config.layers])


def _by_key(config: Config) -> Iterator[tuple[str, str]]:
    """Every key of every layer that differs from the defaults of all layers."""
    document = config.model_dump(mode="json")
    common = {key: document[key] for key in LAYER_DEFAULTS}

    def of(layers: Sequence[Mapping[str, Any]], prefix: str) -> Iterator[tuple[str, str]]:
        for i, layer in enumerate(layers):
            options = {key: value for key, value in layer.items() if value not in (None, common.get(key))}
            yield from of(options.pop("layers", ()), f"{prefix}{i}.{LAYERS}")
            yield from _pairs(options, f"{prefix}{i}.")

    return of(document["layers"], LAYERS)


def _filled(document: Mapping[str, Any], member: Mapping[str, Any]) -> dict[str, Any]:
    """The document with `auto` and null values replaced by those of the member."""
    filled: dict[str, Any] = {}
    for key, value in document.items():
        resolved = member.get(key)
        if isinstance(value, Mapping) and isinstance(resolved, Mapping):
            filled[key] = _filled(value, resolved)
        else:
            filled[key] = resolved if value in (None, "auto") else value
    return filled


def _short(layer: Any, defaults: Mapping[str, object]) -> object:
    """The short form of a layer: `64` for a dense layer, `layer_norm` for a layer with defaults only."""
    options = {key: value for key, value in layer.items() if key not in defaults or value != defaults[key]}
    if isinstance(options.get("layers"), list):
        options["layers"] = [_short(inner, defaults) for inner in options["layers"]]
    if options.keys() == {"type"}:
        return options["type"]
    return options["units"] if options.keys() == {"type", "units"} else options


def _pairs(document: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys with their values on one line."""
    for key, value in document.items():
        if not prefix and key in IGNORED_KEYS:
            continue
        if isinstance(value, Mapping) and value:
            yield from _pairs(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", in_line(value)


def in_line(value: object) -> str:
    """YAML on one line.

    >>> in_line([{"type": "dense", "units": 4}, 2.5])
    '[{type: dense, units: 4}, 2.5]'
    """
    if isinstance(value, Mapping) and value:
        return "{" + ", ".join(f"{dump_scalar(str(key))}: {in_line(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple) and value:
        return f"[{', '.join(map(in_line, value))}]"
    return dump_scalar([] if value == () else value)
