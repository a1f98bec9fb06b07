"""The paths of the endpoints of a model."""

from __future__ import annotations

from urllib.parse import quote


def model_path(name: str) -> str:
    """The path below which the endpoints of a model are: `/models/NAME`; after `/v2` also those of V2."""
    return f"/models/{quote(name, safe='')}"
