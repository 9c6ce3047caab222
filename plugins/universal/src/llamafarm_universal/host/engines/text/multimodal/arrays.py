"""What a processor makes of a prompt, taken apart: which of it belongs to which picture or sound."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from llamafarm_universal.host.engines.text.multimodal.medium import Medium, runs

if TYPE_CHECKING:
    from llamafarm_universal.host.engines.text.multimodal.medium import Arrays

TEXT_ARRAYS = frozenset({"input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids"})
_GRID = "_grid_thw"
"""How the name of the array ends that says how many patches each picture has, in time, height and width."""


def media_of(tokens: Sequence[int], arrays: Arrays, marks: Collection[int], count: int, *, apart: bool) -> list[Medium]:
    """The media of a prompt: each by itself where they can be told apart, else all as one.

    arrays: those of media. marks: the ids in whose places vectors stand. count: of media. apart: whether to try.
    """
    places = [place for place, token in enumerate(tokens) if token in marks]
    if not places or not arrays:
        return []
    pieces = runs(places)
    parts = _parts(arrays, count) if apart and len(pieces) == count else None
    if parts is None:
        return [Medium(tuple(tokens), tuple(places), tuple(places), _digest(arrays), arrays)]
    return [
        Medium(tuple(tokens[place] for place in piece), tuple(range(len(piece))), tuple(piece), _digest(part), part)
        for piece, part in zip(pieces, parts, strict=True)
    ]


def _parts(arrays: Arrays, count: int) -> list[Arrays] | None:
    """The arrays of each of so many media; None where they do not tell."""
    grids = [array for name, array in arrays.items() if name.endswith(_GRID)]
    sizes = [int(size) for size in np.prod(grids[0], axis=1)] if len(grids) == 1 else []
    parts: list[dict[str, Any]] = [{} for _ in range(count)]
    for name, array in arrays.items():
        cut = _cut(array, count, sizes)
        if cut is None:
            return None
        for part, piece in zip(parts, cut, strict=True):
            part[name] = piece
    return list(parts)


def _cut(array: Any, count: int, sizes: Sequence[int]) -> list[Any] | None:
    if sizes and len(sizes) == count and len(array) == sum(sizes):
        return list(np.split(array, np.cumsum(sizes)[:-1]))
    return list(np.split(array, count)) if len(array) == count else None


def _digest(arrays: Mapping[str, Any]) -> bytes:
    digest = hashlib.blake2b(digest_size=32)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.digest()
