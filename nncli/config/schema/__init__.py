"""The schema of a configuration: `Config` and its sections."""

from nncli.config.schema.config import Config
from nncli.config.schema.data import DataSection, EncodingSection
from nncli.config.schema.training import Bagging, Checkpoint, EarlyStopping, Validation, ValidationFile, bytes_of

__all__ = [
    "Bagging",
    "Checkpoint",
    "Config",
    "DataSection",
    "EarlyStopping",
    "EncodingSection",
    "Validation",
    "ValidationFile",
    "bytes_of",
]
