"""The model entries of provider `openai`, and where they lead."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from llamafarm import Endpoint, ModelEntry
from llamafarm.http import normalize_base_url
from pydantic import AfterValidator, Field

from llamafarm_openai_compat.profile import ProfileName
from llamafarm_openai_compat.profiles import profile_at

OPENAI = "https://api.openai.com/v1"
"""The address of an entry without `base_url`."""

BaseUrl = Annotated[str, AfterValidator(normalize_base_url)]
"""An address of a server with the OpenAI API; `/v1` is added where the path is empty."""


class OpenAIEntry(ModelEntry):
    """A model behind an OpenAI-compatible API."""

    base_url: BaseUrl | None = Field(
        default=None,
        description=f"Address of the API, {OPENAI} by default; `/v1` is added where the path is empty.",
        examples=["http://127.0.0.1:8000/v1"],
    )
    profile: ProfileName | None = Field(
        default=None,
        description="Which server it is. None: recognised by its address, or by what it says; `generic` sends "
        "everything as it is.",
    )
    headers: dict[str, str] = Field(default_factory=dict, description="Sent with every request.")
    organization: str | None = Field(default=None, description="Sent as `OpenAI-Organization`.")


@dataclass(frozen=True)
class OpenAIEndpoint(Endpoint):
    """An endpoint that may say which server it is; a plain one is never asked and gets everything as it is."""

    profile: ProfileName | None = None


def endpoint(entry: OpenAIEntry, environ: Mapping[str, str] = os.environ) -> OpenAIEndpoint:
    """Where the entry's requests go. Its key is its own; at a service's own address its variable stands in."""
    base_url = entry.base_url or OPENAI
    key = entry.api_key.get_secret_value() if entry.api_key else None
    at = profile_at(base_url)
    if key is None and at is not None and at.key is not None:
        key = environ.get(at.key) or None
    headers = dict(entry.headers)
    if entry.organization:
        headers["OpenAI-Organization"] = entry.organization
    return OpenAIEndpoint(
        entry.provider, base_url, key, tuple(sorted(headers.items())), entry.timeouts, profile=entry.profile
    )
