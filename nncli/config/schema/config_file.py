"""What a configuration file may hold: a configuration, and how `nncli tune` searches for a better one."""

from __future__ import annotations

from pydantic import Field

from nncli.config.schema.config import Config
from nncli.config.schema.tune import TuneSection


class ConfigFile(Config):
    """A configuration file. `tune` is not part of the configuration of a run."""

    tune: TuneSection | None = Field(None, description="How `nncli tune` searches for better hyperparameters.")

    @property
    def config(self) -> Config:
        """The configuration without the section `tune`."""
        values = {name: getattr(self, name) for name in Config.model_fields}
        return Config.model_construct(self.model_fields_set - {"tune"}, **values)
