"""Which kinds of models of sound there are, by what their configurations say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Kind = Literal["whisper", "ctc", "classes", "vits", "speecht5", "bark"]
_SPEAKERS: Mapping[str, Kind] = {"VitsModel": "vits", "SpeechT5ForTextToSpeech": "speecht5", "BarkModel": "bark"}

VOCODER = "vocoder"
"""The folder of a model that holds its vocoder, as pipelines of diffusers hold their parts."""

ADAPTERS = "adapter.*.safetensors"
"""The files of a model of many languages that has one for each. Source: transformers' Wav2Vec2ForCTC."""


def has_languages(config: Mapping[str, Any]) -> bool:
    """Whether a model of CTC knows many languages, by an adapter for each."""
    return config.get("adapter_attn_dim") is not None


def kind_of(config: Mapping[str, Any]) -> Kind | None:
    """How a model is executed; None for one that is not executed here."""
    architecture = str((config.get("architectures") or [""])[0])
    if config.get("model_type") == "whisper" and architecture.endswith("ForConditionalGeneration"):
        return "whisper"
    if architecture.endswith(("ForAudioClassification", "ForSequenceClassification")):
        return "classes"
    if architecture in _SPEAKERS:
        return _SPEAKERS[architecture]
    return "ctc" if architecture.endswith("ForCTC") and "conv_stride" in config else None
