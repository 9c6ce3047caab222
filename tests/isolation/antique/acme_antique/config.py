"""What llamafarm.yaml may say."""

from __future__ import annotations

import llamafarm
from pydantic import BaseModel, ConfigDict


class AntiqueEntry(llamafarm.ModelEntry):
    """A model entry of this provider."""

    colour: str = "sepia"


class AntiqueOptions(BaseModel):
    """The options of the agent handler."""

    model_config = ConfigDict(extra="forbid")

    before: str = ""


class AntiqueSection(BaseModel):
    """The section of this plugin."""

    model_config = ConfigDict(extra="forbid")

    after: str = ""


def endpoint(entry: AntiqueEntry) -> llamafarm.Endpoint:
    key = entry.api_key.get_secret_value() if entry.api_key else None
    url = llamafarm.normalize_base_url(entry.base_url or "http://127.0.0.1:8080")
    headers = (("X-Colour", entry.colour),)
    return llamafarm.Endpoint(entry.provider, url, key, headers, entry.timeouts)
