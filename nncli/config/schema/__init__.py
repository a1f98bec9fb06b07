"""The schema of a configuration: `Config` and its sections."""

from nncli.config.schema.config import Config, ConfigFile
from nncli.config.schema.data import DataSection, EncodingSection
from nncli.config.schema.training import Bagging, Checkpoint, EarlyStopping, Validation, ValidationFile, bytes_of
from nncli.config.schema.tune import Domain, TuneFile, TuneSection

__all__ = [
    "Bagging",
    "Checkpoint",
    "Config",
    "ConfigFile",
    "DataSection",
    "Domain",
    "EarlyStopping",
    "EncodingSection",
    "TuneFile",
    "TuneSection",
    "Validation",
    "ValidationFile",
    "bytes_of",
]
