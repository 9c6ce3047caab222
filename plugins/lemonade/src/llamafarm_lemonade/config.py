"""The model entries of provider `lemonade`, and where they lead."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit, urlunsplit

from llamafarm import Endpoint, ModelEntry
from llamafarm.errors import ConfigError
from llamafarm.http import host_and_port, is_loopback, normalize_base_url
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 13305
API_PATH = "/v1"
TEXT_RECIPES = ("llamacpp", "ryzenai-llm", "flm", "vllm")
"""The recipes of Lemonade 11 that answer with texts: what executes a model."""
OTHER_RECIPES = ("whispercpp", "moonshine", "sd-cpp", "kokoro", "onnxruntime", "cloud")
GONE = {"onnx": "its recipe `onnxruntime` only classifies", "transformers": "it has no such recipe any more"}
"""Backends of Lemonade before version 10, and what became of them."""

Backend = Literal["llamacpp", "ryzenai-llm", "flm", "vllm", "auto", "system", "metal", "cuda", "vulkan", "rocm", "cpu"]


def _known(backend: Any) -> Any:
    if backend in GONE:
        raise ValueError(
            f"Lemonade does not chat with `{backend}` today: {GONE[backend]}. Its recipes for texts are "
            f"{', '.join(TEXT_RECIPES)}, and for other things {', '.join(OTHER_RECIPES)}, among others; "
            "`llamacpp` runs GGUF models, and the provider `universal` runs Transformers models"
        )
    return backend


class Lemonade(BaseModel):
    """How the server loads the model."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    backend: Annotated[Backend, BeforeValidator(_known)] = Field(
        default="llamacpp",
        description="The recipe that executes the model; `llamacpp` runs GGUF models. Or the backend of llama.cpp: "
        "`auto`, `system`, `metal`, `cuda`, `vulkan`, `rocm`, `cpu`.",
    )
    port: int | None = Field(
        default=None, ge=1, le=65535, examples=[DEFAULT_PORT], description="Port of the server on this machine."
    )
    context_size: int | None = Field(
        default=None, ge=1, description="Tokens of prompt and answer together. None: as the server decides."
    )
    llamacpp_args: str | None = Field(default=None, description="Further arguments of llama.cpp's server.")
    checkpoint: str | None = Field(
        default=None,
        pattern=r"^[^/\s:]+/[^/\s:]+(:\S+)?$",
        examples=["unsloth/Qwen3-4B-GGUF:Q4_K_M"],
        description="Where a model with a name of your own (`user.NAME`) is downloaded from: `org/repository:VARIANT`.",
    )
    max_loaded_models: int | None = Field(
        default=None, ge=1, description="Models of one kind that a server started by LlamaFarm keeps in memory."
    )

    @property
    def recipe(self) -> str:
        """The recipe of a model that is downloaded by its checkpoint."""
        return self.backend if self.backend in TEXT_RECIPES else "llamacpp"

    @property
    def llamacpp_backend(self) -> str | None:
        """What llama.cpp computes on; None where the entry leaves it to the server."""
        return None if self.backend in TEXT_RECIPES else self.backend

    def settings(self) -> dict[str, Any]:
        """The fields of `POST /v1/load` that change how the model is loaded: those that the entry says."""
        found = {
            "ctx_size": self.context_size,
            "llamacpp_backend": self.llamacpp_backend,
            "llamacpp_args": self.llamacpp_args,
        }
        return {name: value for name, value in found.items() if value is not None}


class LemonadeEntry(ModelEntry):
    """A model of a Lemonade server. `model` is the name that the server lists, such as `user.Qwen3-4B`."""

    base_url: Annotated[str, AfterValidator(lambda url: normalize_base_url(url, path=API_PATH))] | None = Field(
        default=None,
        description=f"Address of the server, http://{DEFAULT_HOST}:{DEFAULT_PORT} by default (LEMONADE_PORT); `/v1` "
        "is added where the path is empty.",
        examples=[f"http://{DEFAULT_HOST}:{DEFAULT_PORT}/v1"],
    )
    lemonade: Lemonade = Field(default_factory=Lemonade)

    @model_validator(mode="after")
    def _says_one_port(self) -> Self:
        port = self.lemonade.port
        if self.base_url and port and host_and_port(self.base_url)[1] != port:
            raise ValueError(f"the port of `base_url` is not the one of `lemonade.port` ({port})")
        return self


def endpoint(entry: LemonadeEntry, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """Where the entry's requests go. LEMONADE_API_KEY is for a server on this machine only."""
    port = entry.lemonade.port or default_port(environ)
    base_url = _with_number(entry.base_url or f"http://{DEFAULT_HOST}:{port}{API_PATH}")
    key = entry.api_key.get_secret_value() if entry.api_key else None
    if key is None and is_loopback(base_url):
        key = environ.get("LEMONADE_API_KEY") or None
    return Endpoint(entry.provider, base_url, key, timeouts=entry.timeouts)


def default_port(environ: Mapping[str, str]) -> int:
    """The port where an entry names none. Raises ConfigError for one that is none."""
    port = environ.get("LEMONADE_PORT") or str(DEFAULT_PORT)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"LEMONADE_PORT must be a port from 1 to 65535, not {port!r}.")
    return int(port)


def _with_number(base_url: str) -> str:
    """The address with 127.0.0.1 for `localhost`, so that it means the process that LlamaFarm starts and no other."""
    parts = urlsplit(base_url)
    if parts.hostname != "localhost":
        return base_url
    user, at, place = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at}{place.lower().replace('localhost', DEFAULT_HOST)}"))
