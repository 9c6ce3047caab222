"""The model entries of provider `universal`, and where they lead."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from llamafarm import Endpoint, ModelEntry
from llamafarm.errors import ConfigError
from llamafarm.http import is_loopback, normalize_base_url
from llamafarm.wire import EMBEDDINGS, Operation
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, field_validator

from llamafarm_universal.adapter import Adapter
from llamafarm_universal.model_names import placed
from llamafarm_universal.served import ADAPTED, SERVED, SIGHT, SOUND

if TYPE_CHECKING:
    from llamafarm_universal.store.glance import Glance

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 11540
API_PATH = "/v1"
PORT_VARIABLES = ("UNIVERSAL_RUNTIME_PORT", "LF_RUNTIME_PORT")
log = logging.getLogger(__name__)


class Transformers(BaseModel):
    """How the runtime loads the model."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    device: Literal["auto", "cuda", "mps", "cpu"] = Field(default="auto", description="`auto` takes the best there is.")
    dtype: Literal["auto", "fp16", "bf16", "fp32"] = Field(default="auto", description="Precision of the weights.")
    quantization: Literal["none", "int8", "int4"] = Field(
        default="none",
        description="Bits of the weights of linear layers; fewer take less memory and less time to read.",
    )
    draft_model: Annotated[str, AfterValidator(placed)] | None = Field(
        default=None,
        min_length=1,
        examples=["Qwen/Qwen2.5-0.5B-Instruct"],
        description="A small model of the same vocabulary that guesses what this one will say, named as `model` is.",
    )
    vocoder: Annotated[str, AfterValidator(placed)] | None = Field(
        default=None,
        min_length=1,
        examples=["microsoft/speecht5_hifigan"],
        description="What makes sound of the spectra of SpeechT5, named as `model` is.",
    )
    vocoder_revision: str | None = Field(default=None, description="Branch, tag or commit of the vocoder's repository.")
    trust_remote_code: bool = Field(default=False, description="Execute Python code that comes with the model.")
    model_type: str | None = Field(
        default=None,
        pattern=r"^[a-z][a-z0-9_-]*$",
        examples=["text"],
        description="What it does, where its own configuration does not say: `text`, `embedding`, `reranking`, "
        "`classification`, `ner`, `vision`, `image`, or another task that an engine of the runtime does.",
    )
    revision: str | None = Field(default=None, description="Branch, tag or commit of the model's repository.")

    engine: str | None = Field(
        default=None, pattern=r"^[a-z][a-z0-9_-]*$", description="What executes it, where several engines can."
    )
    isolated: bool = Field(default=False, description="Give it a process of its own, which holds up no other model.")

    keep_alive: float | None = Field(
        default=None, ge=-1, description="Seconds that it stays in memory after its last request; -1 for ever."
    )
    group: str | None = Field(
        default=None, min_length=1, description="Models of one group are never in memory together."
    )
    batch_size: int | None = Field(
        default=None, ge=1, description="Most texts embedded at once; fewer take less memory. None: as many as come."
    )

    def settings(self) -> dict[str, Any]:
        """The settings as the runtime's `load` takes them: those that change the load and are not the default."""
        return self.model_dump(exclude_defaults=True, exclude={"batch_size", "keep_alive", "group"})

    def residency(self) -> dict[str, Any]:
        """How long the model stays in memory, as the runtime's `load` takes it."""
        return self.model_dump(exclude_none=True, include={"keep_alive", "group"})


class Diffusion(BaseModel):
    """What image requests that do not say otherwise use."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default_steps: int | None = Field(default=None, ge=1, le=500, description="Denoising steps.")
    default_guidance: float | None = Field(default=None, ge=0, description="How closely the prompt is followed.")
    default_size: str | None = Field(
        default=None,
        pattern=r"^[1-9]\d{1,4}x[1-9]\d{1,4}$",
        description="Width and height in pixels.",
        examples=["512x512"],
    )
    scheduler: str | None = Field(default=None, min_length=1, description="Name of the scheduler, such as `euler`.")
    enable_optimizations: bool = Field(
        default=True, description="Decode pictures one after the other, and very large ones in tiles: it saves memory."
    )

    def over(self, request: Mapping[str, Any], *, sized: bool = True) -> dict[str, Any]:
        """A request for pictures with what it does not say itself. A null is what undoes a field of the entry.

        sized: whether the entry says how large they are; one that is changed has a size already.
        """
        own = {
            "steps": self.default_steps,
            "guidance_scale": self.default_guidance,
            "size": self.default_size if sized else None,
            "scheduler": self.scheduler,
        }
        return {**{name: value for name, value in own.items() if value is not None}, **request}


class UniversalEntry(ModelEntry):
    """A model that the Universal Runtime executes.

    `model` is a Hugging Face id, a local folder, or `package:NAME/FOLDER` in an installed distribution.
    """

    model: Annotated[str, AfterValidator(placed)] = Field(
        min_length=1,
        description="A Hugging Face id, `org/name:FILE.gguf`, a folder or GGUF file (relative to llamafarm.yaml), or "
        "package:NAME/FOLDER.",
    )
    base_url: Annotated[str, AfterValidator(lambda url: normalize_base_url(url, path=API_PATH))] | None = Field(
        default=None,
        description=f"Address of the runtime, http://{DEFAULT_HOST}:{DEFAULT_PORT} by default "
        "(UNIVERSAL_RUNTIME_HOST, UNIVERSAL_RUNTIME_PORT); `/v1` is added where the path is empty.",
        examples=[f"http://{DEFAULT_HOST}:{DEFAULT_PORT}/v1"],
    )
    transformers: Transformers = Field(default_factory=Transformers)
    diffusion: Diffusion = Field(default_factory=Diffusion)
    adapters: list[Adapter] = Field(
        default_factory=list, description="What changes the model for those requests that ask for `NAME:ADAPTER`."
    )

    _adapter: Adapter | None = PrivateAttr(None)

    @field_validator("adapters")
    @classmethod
    def _names_differ(cls, adapters: list[Adapter]) -> list[Adapter]:
        names = [adapter.name for adapter in adapters]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"there are two adapters named {twice!r}")
        return adapters

    @property
    def adapter(self) -> Adapter | None:
        """What its requests are done with, of the entry `NAME:ADAPTER`; None of the entry as it stands in the file."""
        return self._adapter

    @property
    def own_files(self) -> str:
        """Those of the adapter, where it has one."""
        return self._adapter.model if self._adapter else self.model

    def variants(self) -> Iterable[UniversalEntry]:
        """The model with each of its adapters."""
        for adapter in self.adapters:
            entry = self.variant(adapter.name)
            entry._adapter = adapter
            yield entry

    def load_settings(self) -> dict[str, Any]:
        """The settings as the runtime's `load` takes them: those that change the load and are not the default."""
        settings = self.transformers.settings()
        if not self.diffusion.enable_optimizations:
            settings["options"] = {"enable_optimizations": False}
        return settings | (self._adapter.settings() if self._adapter else {})

    def serves(self, operation: Operation) -> bool | None:
        """What its `model_type` says, else its own files where they are here; None where nothing is known."""
        seen = self._glance()
        task = self._task(seen)
        served = SERVED.get(task or "")
        if served is None:
            return None
        if seen is not None and seen.sound is not None and task == "audio":
            served = SOUND[seen.sound]
        if seen is not None and seen.task is not None and operation in SIGHT:
            return operation in served and operation.method == seen.sight
        return operation in served and not (self._adapter and operation is EMBEDDINGS)

    def takes(self, kind: str) -> bool | None:
        """Of a model that writes and sees, what its processor reads: films are pictures. None: nothing is known."""
        seen = self._glance()
        task = self._task(seen)
        if task is None:
            return None
        return task == "multimodal" and (
            seen is None or seen.task is None or {"video": "image"}.get(kind, kind) in seen.media
        )

    def _task(self, seen: Glance | None) -> str | None:
        from llamafarm_universal.task import ALIASES

        wanted = self.transformers.model_type
        if wanted:
            return ALIASES.get(wanted, wanted)
        return None if seen is None else seen.task

    def _glance(self) -> Glance | None:
        """What the model's own files say, where a runtime of this machine executes it."""
        if self.base_url is not None and not is_loopback(self.base_url):
            return None
        try:
            from llamafarm_universal.store.glance import glance
        except ImportError:  # without `[server]`
            return None
        return glance(self.model)

    def remarks(self) -> Iterable[tuple[str, str]]:
        """A `model_type` that nothing installed here executes, unless the runtime is elsewhere; and idle adapters."""
        from llamafarm_universal.catalogue import tasks
        from llamafarm_universal.task import ALIASES

        wanted = self.transformers.model_type
        is_here = self.base_url is None or is_loopback(self.base_url)
        if wanted is not None and is_here and ALIASES.get(wanted, wanted) not in tasks():
            yield (
                "transformers",
                f"no engine for `model_type: {wanted}` is installed; those that are do {', '.join(tasks())}",
            )
        if self.adapters and ALIASES.get(wanted or "", wanted) not in (None, *ADAPTED):
            yield "adapters", "adapters are for models that generate text, and for those that draw"


def endpoint(entry: UniversalEntry, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """Where the entry's requests go. The environment's key is for a runtime on this machine only."""
    base_url = _with_number(entry.base_url or default_address(environ) + API_PATH)
    key = entry.api_key.get_secret_value() if entry.api_key else None
    if key is None and is_loopback(base_url):
        key = environ.get("UNIVERSAL_RUNTIME_API_KEY") or None
    found = Endpoint(entry.provider, base_url, key, timeouts=entry.timeouts)
    for name in PORT_VARIABLES:
        if entry.base_url and environ.get(name, "") not in ("", str(urlsplit(base_url).port)):
            _note_ignored(name, entry.name, found.address)
    return found


@cache
def _note_ignored(variable: str, entry: str, address: str) -> None:
    """Say once that the address of an entry is its own."""
    log.warning("%s has no effect on the model entry %r: its base_url is %s.", variable, entry, address)


def default_address(environ: Mapping[str, str]) -> str:
    """The runtime's address where an entry names none. Raises ConfigError for a port that is none."""
    host = environ.get("UNIVERSAL_RUNTIME_HOST") or DEFAULT_HOST
    host = {"0.0.0.0": DEFAULT_HOST, "::": "::1"}.get(host, host)  # noqa: S104 - reached here, where it listens on all
    name = next(filter(environ.get, PORT_VARIABLES), PORT_VARIABLES[0])
    port = environ.get(name) or str(DEFAULT_PORT)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"{name} must be a port from 1 to 65535, not {port!r}.")
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _with_number(base_url: str) -> str:
    """The address with 127.0.0.1 for `localhost`, so that it means the process that LlamaFarm starts and no other."""
    parts = urlsplit(base_url)
    if parts.hostname != "localhost":
        return base_url
    user, at, place = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{user}{at}{place.lower().replace('localhost', DEFAULT_HOST)}{parts.path}"
