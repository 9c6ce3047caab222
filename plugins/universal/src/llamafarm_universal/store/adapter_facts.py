"""What the files of an adapter say: of its weights nothing but the header is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from llamafarm_universal.chat_template import read_object
from llamafarm_universal.messages import AdapterFacts
from llamafarm_universal.messages.plan import ADAPTER_FILE
from llamafarm_universal.safetensors import shapes_of

_DOWN = re.compile(r"\.(lora_A|lora_embedding_A|lora[._]down|lora\.down)(\.default)?(\.weight)?$")
_WHERE = re.compile(
    r"\.(lora_(A|B|embedding_A|embedding_B|magnitude_vector)|lora[._](down|up)|base_layer|weight|bias|alpha)\b.*$"
)
_PARTS = ("unet", "transformer", "text_encoder", "text_encoder_2", "text_encoder_3")
"""Of a pipeline, as the names of weights begin."""
_KOHYA = {"lora_unet_": "unet", "lora_te_": "text_encoder", "lora_te1_": "text_encoder", "lora_te2_": "text_encoder_2"}
"""How the names of weights begin that were trained by kohya's scripts."""


def adapter_facts(weights: Path) -> AdapterFacts:
    """weights: the file of them; its settings, where it has any, lie beside it. Raises RequestFailed."""
    settings = read_object(weights.parent / ADAPTER_FILE)
    shapes = shapes_of(weights)
    base = settings.get("base_model_name_or_path")
    return AdapterFacts(
        kind=_kind(settings, shapes),
        rank=_rank(shapes),
        changes=_changes(shapes),
        trained_for=base if isinstance(base, str) and base else None,
        weight_bytes=weights.stat().st_size,
    )


def _kind(settings: Mapping[str, Any], names: Iterable[str]) -> str:
    kind = settings.get("peft_type", "LORA")
    if kind != "LORA":
        return str(kind)
    if settings.get("use_dora") or any("magnitude" in name or name.endswith("dora_scale") for name in names):
        return "DoRA"
    return "rsLoRA" if settings.get("use_rslora") else "LoRA"


def _rank(shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    ranks = {shape[0] for name, shape in shapes.items() if _DOWN.search(name) and shape}
    return ranks.pop() if len(ranks) == 1 else None


def _changes(names: Iterable[str]) -> tuple[str, ...]:
    """The parts of a pipeline, where the names begin with them; else the last words of the layers' names."""
    parts = {part for name in names if (part := _part_of(name))}
    if parts:
        return tuple(sorted(parts))
    return tuple(sorted({_WHERE.sub("", name).rpartition(".")[2] for name in names}))


def _part_of(name: str) -> str | None:
    first = name.partition(".")[0]
    if first in _PARTS:
        return first
    return next((part for prefix, part in _KOHYA.items() if name.startswith(prefix)), None)
