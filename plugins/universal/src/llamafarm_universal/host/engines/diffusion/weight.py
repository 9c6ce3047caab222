"""What a pipeline of diffusers takes of memory, read from its files without any library."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llamafarm_universal.engine import Candidate
from llamafarm_universal.placement import BYTES
from llamafarm_universal.safetensors import count_parameters
from llamafarm_universal.safety import refuse_pickle

NOT_LOADED = ("safety_checker",)
"""Parts that judge pictures and do not draw: what a picture may show is decided by whoever asks for it."""
_DEFAULT_SIDE = 1024
LIVE_LAYERS = 6
"""So many copies of the decoder's widest layer are counted as alive at once."""
SCRATCH_BYTES = 128 * 1024 * 1024
"""What libraries hold beside tensors while they draw, however small the picture: 90 to 130 MB, of a model of 200 MB."""


def components(config: Mapping[str, Any]) -> Iterator[str]:
    """The names of a pipeline's parts that are loaded, of its model_index.json."""
    for name, value in config.items():
        if not name.startswith("_") and name not in NOT_LOADED and isinstance(value, list) and any(value):
            yield name


def weigh_parts(candidate: Candidate) -> list[int]:
    """The bytes of each part. Raises RequestFailed where one has no weights but those that may run code."""
    folders = [candidate.folder / name for name in components(candidate.config) if (candidate.folder / name).is_dir()]
    for folder in folders:
        if any(folder.glob("*.safetensors")) or any(map(_is_weights, folder.iterdir())):
            refuse_pickle(f"{candidate.ref.id}/{folder.name}", folder)
    return [count_parameters(folder, "*.safetensors") * BYTES[candidate.dtype] for folder in folders]


def working_bytes(candidate: Candidate) -> int:
    """What decoding a picture of the model's own size takes, more than any step before it; and what libraries need."""
    vae = _read(candidate.folder / "vae" / "config.json")
    channels = vae.get("block_out_channels") or vae.get("decoder_block_out_channels") or [128]
    scale = 2 ** (len(channels) - 1)
    denoiser = {
        **_read(candidate.folder / "unet" / "config.json"),
        **_read(candidate.folder / "transformer" / "config.json"),
    }
    size = denoiser.get("sample_size")
    side = size * scale if isinstance(size, int) else _DEFAULT_SIDE
    return int(side * side * int(channels[0]) * LIVE_LAYERS * BYTES[candidate.dtype]) + SCRATCH_BYTES


def _is_weights(path: Path) -> bool:
    return path.suffix in (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")


def _read(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
