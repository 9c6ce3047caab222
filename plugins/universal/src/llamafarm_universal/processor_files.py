"""Which media a model's processor reads, by the settings that lie beside the model; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from llamafarm_universal.chat_template import read_object

FILES = ("preprocessor_config.json", "processor_config.json")
_TELLING: Mapping[str, tuple[str, ...]] = {
    "image": ("image_processor_type", "image_mean"),
    "audio": ("sampling_rate",),
}
"""What the settings of a preprocessor have that reads a kind of media."""


def media_read(folder: Path) -> frozenset[str]:
    """The kinds of media, as the parts of messages are called. Newer files have each part's settings in its own."""
    settings = [read_object(folder / name) for name in FILES]
    settings += [part for each in settings for part in each.values() if isinstance(part, dict)]
    return frozenset(kind for kind, keys in _TELLING.items() if any(key in each for each in settings for key in keys))
