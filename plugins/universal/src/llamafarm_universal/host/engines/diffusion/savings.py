"""What saves memory while pictures are drawn: which of it a model gets, on which device. Imports no library."""

from __future__ import annotations

from llamafarm_universal.engine import Candidate
from llamafarm_universal.host.engines.diffusion.weight import weigh_parts, working_bytes

OPTION = "enable_optimizations"
SLICED_DECODING = "vae_slicing"
"""The pictures of a batch are decoded one after the other."""
TILED_DECODING = "vae_tiling"
"""Large pictures are decoded in tiles."""
SLICED_ATTENTION = "attention_slicing"
"""Scores are computed a part after the other, where torch would hold them all at once."""
OFFLOAD = "model_cpu_offload"
"""One part of the model lies on the GPU, the one that computes; the others wait in the processor's memory."""
ROOM = 0.8
"""Of a GPU's memory, a model that has it for itself."""


def savings(candidate: Candidate) -> tuple[str, ...]:
    """What a model gets, by the names that diffusers gives it; nothing where its settings say so."""
    if not dict(candidate.ref.settings.options).get(OPTION, True):
        return ()
    needed = sum(weigh_parts(candidate)) + working_bytes(candidate)
    return chosen(candidate.device, needed, candidate.device_bytes)


def chosen(device: str, needed: int, device_bytes: int | None) -> tuple[str, ...]:
    """needed: bytes of weights and work. device_bytes: what the device has; None: unknown.

    A GPU from NVIDIA and a processor compute attention in slices by themselves, and faster than diffusers' own slicing.
    Offloading costs the time to move every part for every picture, so that only a model has it that would not fit.
    """
    names = [SLICED_DECODING, TILED_DECODING]
    if device == "mps":
        names.append(SLICED_ATTENTION)
    if device == "cuda" and device_bytes is not None and needed > ROOM * device_bytes:
        names.append(OFFLOAD)
    return tuple(names)


def weight_on_device(candidate: Candidate) -> int:
    """Bytes of weights that lie on the device at once."""
    parts = weigh_parts(candidate)
    return max(parts, default=0) if OFFLOAD in savings(candidate) else sum(parts)
