"""The values of trials as people read them: as text, and beside those of the configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nncli.base.errors import ConfigError
from nncli.base.spec import Spec, non_defaults
from nncli.config.schema import Config
from nncli.config.yaml.writer import one_line
from nncli.tuning.space.domains import ChoiceDomain
from nncli.tuning.space.keys import Key, expand
from nncli.tuning.space.space import SearchSpace
from nncli.tuning.trials.trials import Trial

DEFAULT = "default"
"""The text of a value that is not set."""
SHORT_FORMS = (("dense", "units"), ("constant", "initial"))
"""Types that are written as the value of a key alone."""
ABSENT = "–"
"""The text of a value of a key that the configuration does not have."""


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
            config = self._space.rounded_config(trial.values)
        except ConfigError:
            return labels
        return {name: label for name, label in labels.items() if self._differs(config, self._parameters[name].key)}

    def _differs(self, config: Config, key: Key) -> bool:
        return any(spec_at(config, one) != spec_at(self._space.base, one) for one in expand(key, config))

    def base(self, name: str) -> str:
        """The value of a parameter in the configuration itself, as text."""
        keys = expand(self._parameters[name].key, self._space.base)
        values = [spec_at(self._space.base, key) for key in keys]
        texts = [DEFAULT if value is None else one_line(_short(non_defaults(value))) for value in values]
        return ", ".join(dict.fromkeys(texts)) or ABSENT

    def written(self, trial: Trial) -> dict[str, Any]:
        """The value of each active parameter as it is written in a configuration."""
        values = self._space.rounded(trial.values)
        domains = {name: self._parameters[name].domain for name in values}
        return {
            name: _short(domain.choices[int(values[name])]) if isinstance(domain, ChoiceDomain) else values[name]
            for name, domain in domains.items()
        }


def spec_at(config: Config, key: Key) -> Any:
    """The value of a key without *, as an object of a specification if it is one; None if there is none."""
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
        for kind, name in SHORT_FORMS:
            if value.keys() == {"type", name} and value["type"] == kind:
                return value[name]
        return value["type"] if value.keys() == {"type"} else {key: _short(item) for key, item in value.items()}
    return [_short(item) for item in value] if isinstance(value, list | tuple) else value
