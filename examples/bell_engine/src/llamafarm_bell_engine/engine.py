"""The engine: one note of one melody in each step, of all melodies in turn."""

from __future__ import annotations

import io
import sys
import wave
from array import array
from collections import deque
from dataclasses import dataclass

from llamafarm_universal.engine import (
    Accepted,
    Blob,
    Emit,
    Finished,
    LoadedModel,
    LoadPlan,
    Progress,
    Work,
    explained,
)

from llamafarm_bell_engine.bell import Bell
from llamafarm_bell_engine.melody import SAMPLE_BYTES, Ring, pitches

LOUDEST = 0.9 * 32767


@dataclass(eq=False)
class Melody:
    """A request under way. sound: as far as it has been rung. rung: how many notes of it."""

    request_id: str
    work: Ring
    pitches: list[float | None]
    emit: Emit
    sound: array[float]
    rung: int = 0


class BellEngine:
    """Rings one bell."""

    def __init__(self, plan: LoadPlan) -> None:
        self._bell = Bell.of(plan.config)
        self._strike = self._bell.cast()
        self._melodies: deque[Melody] = deque()
        self.model = LoadedModel(
            ref=plan.ref,
            task=plan.task,
            engine=plan.engine,
            device=plan.device,
            dtype=plan.dtype,
            parameters=3 * len(self._bell.partials),
            memory_bytes=len(self._strike) * self._strike.itemsize,
            operations=frozenset({Ring.operation}),
        )

    def prepare(self, work: Work) -> list[float | None]:
        """In a thread: the pitch of each note. Raises RequestFailed."""
        assert isinstance(work, Ring)
        return pitches(work)

    def submit(self, request_id: str, work: Work, prepared: list[float | None], emit: Emit) -> None:
        assert isinstance(work, Ring)
        samples = int(len(prepared) * work.beat * self._bell.rate) + self._bell.samples
        self._melodies.append(Melody(request_id, work, prepared, emit, array("f", bytes(SAMPLE_BYTES * samples))))
        emit(Accepted(request_id, len(prepared), self.model))

    def cancel(self, request_id: str) -> None:
        self._melodies = deque(melody for melody in self._melodies if melody.request_id != request_id)

    def step(self) -> bool:
        if not self._melodies:
            return False
        melody = self._melodies[0]
        self._melodies.rotate(-1)
        try:
            self._advance(melody)
        except Exception as error:  # noqa: BLE001 - a melody that fails ends no other
            self.cancel(melody.request_id)
            melody.emit(explained(error, "ringing").event(melody.request_id))
        return bool(self._melodies)

    def close(self) -> None:
        self._melodies.clear()
        del self._strike

    def _advance(self, melody: Melody) -> None:
        """Ring one more note; when all have been, write the sound down."""
        if melody.rung == len(melody.pitches):
            content = wav(melody.sound, self._bell.rate)
            self._melodies.remove(melody)
            blob = Blob("audio/wav", len(content), data=content)  # of any size: the host makes a file of a large one
            melody.emit(Finished(melody.request_id, value=blob))
            return
        hertz = melody.pitches[melody.rung]
        if hertz is not None:
            start = int(melody.rung * melody.work.beat * self._bell.rate)
            self.ring(melody, start, hertz / self._bell.hertz)
        melody.rung += 1
        melody.emit(Progress(melody.request_id, 0, melody.rung, len(melody.pitches)))

    def ring(self, melody: Melody, start: int, speed: float) -> None:
        """Add a strike from a sample on, played faster where the note is higher: between samples is a straight line."""
        sound, strike = melody.sound, self._strike
        for sample in range(min(int((len(strike) - 1) / speed), len(sound) - start)):
            place = sample * speed
            left = int(place)
            sound[start + sample] += strike[left] + (strike[left + 1] - strike[left]) * (place - left)


def wav(sound: array[float], rate: int) -> bytes:
    """A sound as a WAV file: mono, 16 bits, as loud as can be."""
    peak = max(max(sound), -min(sound)) or 1.0
    samples = array("h", (int(LOUDEST * sample / peak) for sample in sound))
    if sys.byteorder == "big":
        samples.byteswap()
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(samples.tobytes())
    return file.getvalue()
