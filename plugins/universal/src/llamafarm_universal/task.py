"""What a model does: read from its own files, or said by the user."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from llamafarm_universal.failure import refused

ALIASES = {
    "image": "diffusion",
    "embeddings": "embedding",
    "rerank": "reranking",
    "classify": "classification",
    "chat": "text",
    "generation": "text",
}
"""What users write in `model_type` beside the tasks' own names."""

_SIGHT = {
    "ForImageClassification": "classify_pictures",
    "ForImageClassificationWithTeacher": "classify_pictures",
    "ForObjectDetection": "detect_objects",
    "ForSemanticSegmentation": "segment_pictures",
    "ForUniversalSegmentation": "segment_pictures",
    "ForInstanceSegmentation": "segment_pictures",
    "ForSegmentation": "segment_pictures",
    "ForDepthEstimation": "estimate_depth",
}
"""The ends of architecture names of models that look at pictures, and the operation that each does."""
# The ends of architecture names, and the task of each. The first that fits counts.
_ENDINGS = (
    ("ForCausalLM", "text"),
    ("LMHeadModel", "text"),
    ("ForMaskedLM", "embedding"),
    ("ForSequenceClassification", "classification"),
    ("ForTokenClassification", "ner"),
    *((ending, "vision") for ending in _SIGHT),
    ("ForSpeechSeq2Seq", "audio"),
    ("ForCTC", "audio"),
    ("ForAudioClassification", "audio"),
    ("ForPreTraining", "embedding"),
    ("Model", "embedding"),
)
ENCODER_DECODERS = frozenset(
    {
        "bart",
        "bigbird_pegasus",
        "blenderbot",
        "blenderbot-small",
        "fsmt",
        "led",
        "longt5",
        "m2m_100",
        "marian",
        "mbart",
        "mt5",
        "mvp",
        "nllb-moe",
        "pegasus",
        "pegasus_x",
        "plbart",
        "prophetnet",
        "switch_transformers",
        "t5",
        "t5gemma",
        "umt5",
    }
)
"""Model types of transformers' AutoModelForSeq2SeqLM that read and write nothing but text."""
_ENCODER_DECODER_ENDINGS = ("ForConditionalGeneration", "MTModel", "WithLMHeadModel")
_MULTIMODAL_KEYS = ("vision_config", "audio_config")
_CAPTIONERS = ("BlipForConditionalGeneration", "GitForCausalLM", "VisionEncoderDecoderModel")
_SOUND_TYPES = frozenset(
    {
        "audio-spectrogram-transformer",
        "bark",
        "csm",
        "data2vec-audio",
        "dia",
        "encodec",
        "fastspeech2_conformer",
        "fastspeech2_conformer_with_hifigan",
        "gradium_phonon_tts",
        "higgs_audio_v2",
        "hubert",
        "mctct",
        "moonshine",
        "musicgen",
        "musicgen_melody",
        "pocket_tts",
        "seamless_m4t",
        "seamless_m4t_v2",
        "sew",
        "sew-d",
        "speech_to_text",
        "speecht5",
        "unispeech",
        "unispeech-sat",
        "vibevoice",
        "vits",
        "wav2vec2",
        "wav2vec2-bert",
        "wav2vec2-conformer",
        "wavlm",
        "whisper",
    }
)
"""Model types of transformers that read or make nothing but sound, whatever their architectures are called."""


def task_of(folder: Path, config: Mapping[str, Any]) -> str | None:
    """The task of a model by its layout (sentence-transformers, diffusers), else by its architecture; None: unknown."""
    if (folder / "model_index.json").is_file():
        return "diffusion"
    is_embedder = (folder / "modules.json").is_file() and not _is_cross_encoder(folder)
    return "embedding" if is_embedder else _from_architecture(config)


def sight_of(config: Mapping[str, Any]) -> str | None:
    """The operation on pictures that a model does, as works name it; None: none."""
    if is_captioner(config):
        return "caption_pictures"
    if {"text_config", "vision_config"} <= config.keys() and _architecture(config).endswith("Model"):
        return "label_pictures"
    if _from_architecture(config) != "vision":
        return None
    architecture = _architecture(config)
    return next((name for ending, name in _SIGHT.items() if architecture.endswith(ending)), "embed_pictures")


def named_task(name: str, known: Collection[str]) -> str:
    """The task that a user names in `model_type`. Raises RequestFailed where no engine does it."""
    task = ALIASES.get(name, name)
    if task not in known:
        raise refused(
            f"No engine here does `{name}`.", "model_type", hint=f"The engines here do: {', '.join(sorted(known))}."
        )
    return task


def is_encoder_decoder(config: Mapping[str, Any]) -> bool:
    """Whether a model of text reads the prompt with one half, and writes an answer with the other (T5, BART, …)."""
    ending = _architecture(config).endswith(_ENCODER_DECODER_ENDINGS)
    return ending and str(config.get("model_type")) in ENCODER_DECODERS


def is_captioner(config: Mapping[str, Any]) -> bool:
    """Whether a model writes about a picture, and holds no conversation: BLIP, GIT, an encoder with a decoder."""
    return _architecture(config) in _CAPTIONERS


def _architecture(config: Mapping[str, Any]) -> str:
    return str((config.get("architectures") or [""])[0])


def _from_architecture(config: Mapping[str, Any]) -> str | None:
    architecture = _architecture(config)
    if is_encoder_decoder(config):
        return "text"
    if is_captioner(config):
        return "vision"
    if str(config.get("model_type")) in _SOUND_TYPES:
        return "audio"
    if architecture.endswith("ForConditionalGeneration"):
        return "multimodal" if any(key in config for key in _MULTIMODAL_KEYS) else "text2text"
    task = next((task for ending, task in _ENDINGS if architecture.endswith(ending)), None)
    if task == "embedding" and _sees_alone(config):
        return "vision"
    return "reranking" if task == "classification" and _classes(config) == 1 else task


def _sees_alone(config: Mapping[str, Any]) -> bool:
    """Whether a model reads pictures and nothing else, such as DINOv2 and ViT: pictures have channels."""
    return "num_channels" in config and not {"text_config", "vocab_size"} & config.keys()


def _is_cross_encoder(folder: Path) -> bool:
    """Whether the layout of sentence-transformers holds a model that reads two texts together."""
    return sentence_settings(folder).get("model_type") == "CrossEncoder"


def sentence_settings(folder: Path) -> Mapping[str, Any]:
    """What sentence-transformers has written down of a model of its own; empty where there is nothing to read."""
    try:
        settings = json.loads((folder / "config_sentence_transformers.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _classes(config: Mapping[str, Any]) -> int:
    """How many classes a classifier has: transformers writes them down where there are not two."""
    named = config.get("id2label")
    return len(named) if isinstance(named, Mapping) else int(config.get("num_labels") or 2)
