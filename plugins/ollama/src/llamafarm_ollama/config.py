"""The model entries of provider `ollama`, and where they lead."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated

from llamafarm import Endpoint, ModelEntry
from pydantic import AfterValidator, Field

from llamafarm_ollama.address import HOST, PORT, normal, of_environment
from llamafarm_ollama.options import Options

CLOUD = "https://ollama.com"
"""The only address that OLLAMA_API_KEY is ever sent to."""
DURATION = r"^(0|-?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*)$"


class OllamaEntry(ModelEntry):
    """A model of an Ollama server; `model` is a name as `ollama list` shows it, such as `qwen3:8b`."""

    base_url: Annotated[str, AfterValidator(normal)] | None = Field(
        default=None,
        description=f"Address of the server, by default that of OLLAMA_HOST, else http://{HOST}:{PORT}. "
        "A final `/v1` or `/api` is left out.",
        examples=[f"http://{HOST}:{PORT}"],
    )
    options: Options = Field(
        default_factory=Options, description="Ollama's options, `num_ctx` for instance; a request's own win."
    )
    keep_alive: int | Annotated[str, Field(pattern=DURATION, examples=["10m"])] | None = Field(
        default=None,
        description="How long the model stays loaded after a request: seconds, or a duration such as `10m`; "
        "a negative one is for ever.",
    )
    truncate: bool = Field(
        default=False,
        description="Let Ollama drop the oldest messages, or the end of a text, where a prompt is too long. "
        "Otherwise that is an error.",
    )


def endpoint(entry: OllamaEntry, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """Where the requests go. The key is the entry's; for ollama.com OLLAMA_API_KEY stands in. Raises ConfigError."""
    url = entry.base_url or of_environment(environ)
    key = entry.api_key.get_secret_value() if entry.api_key else None
    if key is None and url in (CLOUD, f"{CLOUD}:443"):
        key = environ.get("OLLAMA_API_KEY") or None
    return Endpoint(entry.provider, url, key, timeouts=entry.timeouts)
