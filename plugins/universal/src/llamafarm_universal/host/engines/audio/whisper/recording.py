"""A recording on its way through the model: what its windows share, and where each of them is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from llamafarm_universal.engine import Sound
from llamafarm_universal.host.engines.audio.base import Part
from llamafarm_universal.host.engines.audio.whisper.encoder import Encoding
from llamafarm_universal.host.engines.audio.whisper.reading import Heard
from llamafarm_universal.host.engines.audio.windows import Window


@dataclass(eq=False)
class Recording:
    """What the windows of a recording share: the `request` of their parts.

    task: `transcribe` or `translate`. language: its token; None until it is known, where the model has several.
    prompt: tokens that go before each text. temperatures: of the first attempt, and of those that follow. words:
    whether it is wanted when each is spoken.
    """

    sound: Sound
    windows: tuple[Window, ...]
    task: str
    language: int | None
    needs_language: bool
    prompt: tuple[int, ...]
    temperatures: tuple[float, ...]
    words: bool = False

    @property
    def is_ready(self) -> bool:
        return self.language is not None or not self.needs_language


@dataclass(eq=False)
class Reading:
    """A window that the model reads; its part's content is the window.

    features: [1, bins, frames] of all of it. seek: how many frames have been read. attempt: which of the temperatures
    is tried. encoding: while it is being encoded. states: [1, positions, width] of the encoder, from `seek` on; None
    until it has run. heard: so far. alone: it is written by itself, since it has failed together with others.
    """

    part: Part
    features: Any
    seek: int = 0
    attempt: int = 0
    encoding: Encoding | None = None
    states: Any = None
    heard: list[Heard] = field(default_factory=list)
    alone: bool = False

    @property
    def recording(self) -> Recording:
        recording = self.part.request
        assert isinstance(recording, Recording)
        return recording

    @property
    def temperature(self) -> float:
        return self.recording.temperatures[self.attempt]
