"""A model to use, and how it is to be loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    they are fewer than `dtype` has. draft_model: a small model that guesses what this one will say.
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


@dataclass(frozen=True)
class ModelRef:
    """A model to use: a Hugging Face id, a local folder, or `package:NAME/FOLDER` inside an installed distribution."""

    id: str
    settings: LoadSettings = field(default_factory=LoadSettings)
