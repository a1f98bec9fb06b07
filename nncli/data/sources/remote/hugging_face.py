"""Data sets of the Hugging Face Hub: hf://datasets/OWNER/NAME[@REVISION]/path."""

from __future__ import annotations

import glob
import os
import re
from urllib.parse import quote

from nncli.base.errors import Location, UsageError

DATASET = re.compile(r"hf://datasets/(?P<owner>[^/@]+)/(?P<name>[^/@]+)(@(?P<revision>[^/]+))?/(?P<path>.+)", re.I)
REVISIONS = {"~parquet": "refs/convert/parquet"}
"""Short names of branches; this one holds the data set converted to Parquet."""
DEFAULT_ENDPOINT = "https://huggingface.co"


def is_url(url: str) -> bool:
    """Whether a URL is that of the Hugging Face Hub."""
    return url.lower().startswith("hf:")


def file_url(url: str) -> str:
    """The https URL of a file of a data set; the server is that of HF_ENDPOINT, if set.

    Raises:
        UsageError: the URL is not that of a file of a data set.
    """
    match = DATASET.fullmatch(url)
    if match is None or match["path"].endswith("/") or glob.has_magic(match["path"]):
        raise UsageError(
            "this is not the URL of one file of a data set",
            location=Location(source=url),
            hint="Such URLs are hf://datasets/OWNER/NAME/path/to/file.parquet, with @REVISION after NAME if need be.",
        )
    revision = match["revision"] or "main"
    endpoint = (os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
    # `refs%2Fpr%2F1` may be written encoded, since a revision has no slash of its own in this form.
    revision = quote(REVISIONS.get(revision, revision.replace("%2F", "/").replace("%2f", "/")), safe="")
    path = quote(match["path"], safe="/")
    return f"{endpoint}/datasets/{match['owner']}/{match['name']}/resolve/{revision}/{path}"


def token() -> str | None:
    """The access token of the environment."""
    return os.environ.get("HF_TOKEN") or None
