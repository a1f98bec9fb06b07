"""The values of trials as people read them: as text, and beside those of the configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nncli.config.schema import Config
from nncli.config.yaml.writer import one_line
from nncli.errors import ConfigError
from nncli.spec import Spec, non_defaults
from nncli.tuning.domains import ChoiceDomain
from nncli.tuning.keys import Key, expand
from nncli.tuning.space import SearchSpace
from nncli.tuning.trials import Trial

DEFAULT = "default"
"""The text of a value that is not set."""


class TrialValues:
    """The values of the trials of a search space."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._parameters = {parameter.name: parameter for parameter in space.parameters}

    def labels(self, trial: Trial) -> dict[str, str]:
        """The value of each active parameter as text; empty for trial 0."""
        return self._space.labels(self._space.rounded(trial.values))

    def changed(self, trial: Trial) -> dict[str, str]:
        """The values that differ from those of the configuration, as text."""
        labels = self.labels(trial)
        try:
            config = self._space.config(self._space.rounded(trial.values))
        except ConfigError:
            return labels
        base = self._space.base
        return {
            name: label
            for name, label in labels.items()
            if any(value_at(config, key) != value_at(base, key) for key in expand(self._parameters[name].key, config))
        }

    def base(self, name: str) -> str:
        """The value of a parameter in the configuration itself, as text."""
        keys = expand(self._parameters[name].key, self._space.base)
        value = value_at(self._space.base, keys[0]) if keys else None
        return DEFAULT if value is None else one_line(_short(non_defaults(value)))

    def written(self, trial: Trial) -> dict[str, Any]:
        """The value of each active parameter as it is written in a configuration."""
        values = self._space.rounded(trial.values)
        domains = {name: self._parameters[name].domain for name in values}
        return {
            name: _short(domain.choices[int(values[name])]) if isinstance(domain, ChoiceDomain) else values[name]
            for name, domain in domains.items()
        }


def value_at(config: Config, key: Key) -> Any:
    """The value at a key of a configuration; None if it has no such key."""
    value: Any = config
    for step in key:
        if isinstance(value, Spec):
            value = getattr(value, step, None)
        elif isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            value = value[int(step)] if step.isdecimal() and int(step) < len(value) else None
        else:
            return None
    return value


def _short(value: Any) -> Any:
    """A value with names and numbers in place of `{type: relu}` and `{type: dense, units: 8}`."""
    if isinstance(value, Mapping):
        if value.keys() == {"type", "units"} and value["type"] == "dense":
            return value["units"]
        return value["type"] if value.keys() == {"type"} else {key: _short(item) for key, item in value.items()}
    return [_short(item) for item in value] if isinstance(value, list | tuple) else value
