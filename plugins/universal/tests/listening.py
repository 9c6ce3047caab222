"""Audio engines in the process of the test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from audio_models import wav_of
from llamafarm_universal.engine import (
    Blob,
    Failed,
    Finished,
    MediaSettings,
    Piece,
    Result,
    Speak,
    SpoolFolder,
    Transcribe,
    Work,
    decoder_of,
)
from llamafarm_universal.host.engines.audio.load import load_audio
from llamafarm_universal.messages import LoadSettings, Machine, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.plan import make_plan


class Listening:
    """One engine, driven by hand. grant: bytes for its windows."""

    def __init__(self, folder: Path, spool: Path, grant: int = 10**8) -> None:
        ref = ModelRef(str(folder), LoadSettings(device="cpu", dtype="fp32"))
        self.folder = folder
        self.spool = SpoolFolder(spool, 2**30, 2**30)
        self._media = MediaSettings(spool=spool)
        plan = make_plan(ref, folder, Machine(), Limits(media=self._media))
        self.engine: Any = load_audio(plan, grant)

    def close(self) -> None:
        """Drop the model, and end the processes that decode."""
        self.engine.close()
        decoder_of(self._media).close()

    def work(self, samples: np.ndarray[Any, Any], kind: type[Transcribe] = Transcribe, **fields: Any) -> Transcribe:
        """A recording to write down, in a single attempt where nothing else is said."""
        content = wav_of(samples)
        return kind(Blob("audio/wav", len(content), content), self.spool, **{"temperatures": (0.0,), **fields})

    def events(self, *works: Work) -> list[list[Result]]:
        """What is told of each work; all of them run beside each other."""
        told: list[list[Result]] = [[] for _ in works]
        for number, work in enumerate(works):
            self.engine.submit(str(number), work, self.engine.prepare(work), told[number].append)
        while self.engine.step():
            pass
        return told

    def values(self, *works: Work) -> list[Any]:
        """The value of each work; JSON as what it says."""
        ends = [events[-1] for events in self.events(*works)]
        assert all(isinstance(end, Finished) for end in ends), [end for end in ends if isinstance(end, Failed)]
        return [json.loads(end.value.read()) for end in ends if isinstance(end, Finished)]

    def transcript(self, samples: np.ndarray[Any, Any], **fields: Any) -> dict[str, Any]:
        [value] = self.values(self.work(samples, **fields))
        assert isinstance(value, dict)
        return value


def pieces(events: list[Result]) -> list[str]:
    return [event.text for event in events if isinstance(event, Piece)]


def spoken(engine: Listening, work: Speak) -> list[np.ndarray[Any, Any]]:
    """The samples of each text, of 16 bits."""
    [events] = engine.events(work)
    assert not [event for event in events if isinstance(event, Failed)], events
    ends = sorted((event for event in events if isinstance(event, Finished)), key=lambda event: event.index)
    return [np.frombuffer(end.value.read(), "<i2") for end in ends]


def alike(sound: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    """Whether two sounds differ in no sample by more than rounding."""
    return sound.shape == other.shape and bool(np.allclose(sound, other, atol=2))
