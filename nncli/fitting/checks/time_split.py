"""Findings about dates and the split of rows into training and validation rows."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from nncli.base.findings import Finding, FindingCode, note
from nncli.base.text import join_quoted, quote
from nncli.config.schema import Config, ValidationFile
from nncli.config.yaml.writer import dump_scalar


def time_feature(config: Config, features: Iterable[str]) -> Finding | None:
    """A note if the column by which rows are split in time is also a feature without being listed as one."""
    time = config.data.time
    if time is None or config.data.features is not None or time not in features:
        return None
    message = (
        f"rows are split in time by {quote(time)}, which is also a feature; the latest are scored and not trained on"
    )
    hint = (
        "For the final model set validation: 0.05, so that few are left out; to drop the column, add it to data.drop."
    )
    return note(FindingCode.TIME_FEATURE, message, column=time, hint=hint)


def random_split(config: Config, dates: Sequence[str]) -> Finding | None:
    """A note if rows are split at random although the columns `dates` hold dates."""
    validation, data = config.validation, config.data
    unsplit = validation == 0.0 and config.bagging_mode == "seeds"
    if (
        not dates
        or data.time is not None
        or data.group is not None
        or unsplit
        or isinstance(validation, ValidationFile)
    ):
        return None
    option = shlex.quote(f"data.time={dump_scalar(dates[0])}")
    message = (
        f"rows are split at random, so the scores are for dates among those of training ({join_quoted(dates)}); "
        "later dates are usually predicted worse"
    )
    return note(FindingCode.RANDOM_SPLIT, message, hint=f"To score the latest rows, --set {option}")
