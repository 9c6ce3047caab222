"""Which engine executes a model: read from the model's own configuration."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from llamafarm_universal.host.failure import RequestFailed, refused

# What users write in `model_type` beside the engines' own names.
ALIASES = {"image": "diffusion", "embeddings": "embedding", "chat": "text", "generation": "text"}

# The ends of architecture names, and the engine for each. The first that fits counts.
_ENDINGS = (
    ("ForCausalLM", "text"),
    ("LMHeadModel", "text"),
    ("ForMaskedLM", "embedding"),
    ("ForSequenceClassification", "classification"),
    ("ForTokenClassification", "classification"),
    ("ForImageClassification", "vision"),
    ("ForSpeechSeq2Seq", "audio"),
    ("ForCTC", "audio"),
    ("ForAudioClassification", "audio"),
    ("ForPreTraining", "embedding"),
    ("Model", "embedding"),
)
_MULTIMODAL_KEYS = ("vision_config", "audio_config")
_SPEECH_TYPES = ("whisper", "speech_to_text", "speecht5")


def engine_name(
    model: str, folder: Path, config: Mapping[str, Any], override: str | None, known: Collection[str]
) -> str:
    """The name of the engine for a model, among those `known`.

    An override (`model_type`) decides; then the layout (sentence-transformers, diffusers); then the architecture.
    Raises RequestFailed that names what was found and what is known.
    """
    if override is not None:
        return _overridden(override, known)
    name = _from_layout(folder) or _from_architecture(config)
    if name is not None and name in known:
        return name
    raise RequestFailed(
        "not_supported",
        f"No engine here executes `{model}`: its configuration says {_found(config)}"
        + (f", which needs an engine `{name}`." if name else "."),
        hint=f"Engines installed: {_listed(known)}. `model_type` chooses one where the configuration misleads.",
        param="model",
    )


def _overridden(override: str, known: Collection[str]) -> str:
    name = ALIASES.get(override, override)
    if name not in known:
        raise refused(f"No engine is called `{override}`.", "model_type", hint=f"Engines installed: {_listed(known)}.")
    return name


def _from_layout(folder: Path) -> str | None:
    if (folder / "model_index.json").is_file():
        return "diffusion"
    return "embedding" if (folder / "modules.json").is_file() else None


def _from_architecture(config: Mapping[str, Any]) -> str | None:
    architecture = _architecture(config)
    if str(config.get("model_type")) in _SPEECH_TYPES:
        return "audio"
    if architecture.endswith("ForConditionalGeneration"):
        return "multimodal" if any(key in config for key in _MULTIMODAL_KEYS) else "text2text"
    for ending, name in _ENDINGS:
        if architecture.endswith(ending):
            return name
    return None


def _architecture(config: Mapping[str, Any]) -> str:
    architectures = config.get("architectures") or [""]
    return str(architectures[0])


def _found(config: Mapping[str, Any]) -> str:
    architecture = _architecture(config)
    model_type = f"model type `{config.get('model_type')}`"
    return f"architecture `{architecture}`, {model_type}" if architecture else f"no architecture, {model_type}"


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"
