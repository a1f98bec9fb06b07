"""The schema of a configuration: `Config` and its sections."""

from nncli.config.schema.config import Config
from nncli.config.schema.config_file import ConfigFile
from nncli.config.schema.data import DataSection, EncodingSection
from nncli.config.schema.training import Checkpoint, EarlyStopping, bytes_of
from nncli.config.schema.tune import Domain, TuneFile, TuneSection
from nncli.config.schema.validation import Bagging, Validation, ValidationFile

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
