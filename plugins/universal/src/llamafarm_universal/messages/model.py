"""A model to use, and how it is to be loaded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

DeviceName = Literal["cuda", "mps", "cpu"]
DtypeName = Literal["fp16", "bf16", "fp32"]
Device = Literal["auto", "cuda", "mps", "cpu"]
Dtype = Literal["auto", "fp16", "bf16", "fp32"]
Quantization = Literal["none", "int8", "int4"]


@dataclass(frozen=True)
class LoadSettings:
    """What changes how a model is loaded: copies of one model are told apart by these and nothing else.

    model_type: the task, where the model's own configuration misleads (`text`, `embedding`, …). engine: who executes
    it, where several can. options: of the engine's own block, as pairs, so that settings can be compared and hashed.
    isolated: it gets an engine host of its own. quantization: how many bits the weights of linear layers get, where
    they are fewer than `dtype` has. draft_model: a small model that guesses what this one will say. vocoder: the model
    that makes sound of this one's spectra, in a revision. adapter: what changes the loaded model for the requests of
    this copy alone, in a revision and with a strength.
    """

    device: Device = "auto"
    dtype: Dtype = "auto"
    trust_remote_code: bool = False
    model_type: str | None = None
    revision: str | None = None
    engine: str | None = None
    options: tuple[tuple[str, str | int | float | bool], ...] = ()
    isolated: bool = False
    quantization: Quantization = "none"
    draft_model: str | None = None
    vocoder: str | None = None
    vocoder_revision: str | None = None
    adapter: str | None = None
    adapter_revision: str | None = None
    adapter_scale: float = 1.0


@dataclass(frozen=True)
class ModelRef:
    """A model to use: a Hugging Face id, a local folder, or `package:NAME/FOLDER` inside an installed distribution."""

    id: str
    settings: LoadSettings = field(default_factory=LoadSettings)

    @property
    def base(self) -> ModelRef:
        """The model whose weights are loaded: itself, without the adapter that its requests have."""
        if self.settings.adapter is None:
            return self
        return replace(self, settings=replace(self.settings, adapter=None, adapter_revision=None, adapter_scale=1.0))

    @property
    def is_adapted(self) -> bool:
        """Whether its requests have an adapter, beside others of the same weights."""
        return self.settings.adapter is not None
