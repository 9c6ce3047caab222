"""The model entries of provider `openai`, and where they lead."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated

from llamafarm.providers.address import normalised
from llamafarm.providers.base import Endpoint
from llamafarm.providers.entry import ModelEntry
from pydantic import AfterValidator, Field

OPENAI = "https://api.openai.com/v1"
"""The address of an entry without `base_url`, and the only one that OPENAI_API_KEY is ever sent to."""

BaseUrl = Annotated[str, AfterValidator(lambda url: normalised(url, path="/v1"))]
"""An address of a server with the OpenAI API; `/v1` is added where the path is empty."""


class OpenAIEntry(ModelEntry):
    """A model behind an OpenAI-compatible API."""

    base_url: BaseUrl | None = Field(
        default=None,
        description=f"Address of the API, {OPENAI} by default; `/v1` is added where the path is empty.",
        examples=["http://127.0.0.1:8000/v1"],
    )
    headers: dict[str, str] = Field(default_factory=dict, description="Sent with every request.")
    organization: str | None = Field(default=None, description="Sent as `OpenAI-Organization`.")


def endpoint(entry: OpenAIEntry, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """Where the entry's requests go. Its key is its own; for OpenAI itself OPENAI_API_KEY stands in."""
    base_url = entry.base_url or OPENAI
    key = entry.api_key.get_secret_value() if entry.api_key else None
    if key is None and base_url == OPENAI:
        key = environ.get("OPENAI_API_KEY") or None
    headers = dict(entry.headers)
    if entry.organization:
        headers["OpenAI-Organization"] = entry.organization
    return Endpoint(entry.provider, base_url, key, tuple(sorted(headers.items())), entry.timeouts)
