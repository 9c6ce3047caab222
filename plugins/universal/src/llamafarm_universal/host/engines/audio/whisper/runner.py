"""How torch runs Whisper: windows of all recordings are encoded one after the other, and written down together."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.engines.audio.base import Part
from llamafarm_universal.host.engines.audio.whisper.alignment import times_of
from llamafarm_universal.host.engines.audio.whisper.encoder import Encoding
from llamafarm_universal.host.engines.audio.whisper.group import Group, Row, beginning
from llamafarm_universal.host.engines.audio.whisper.reading import Attempt, Heard, compression_ratio, kept, shifted
from llamafarm_universal.host.engines.audio.whisper.recording import Reading
from llamafarm_universal.host.engines.audio.whisper.vocabulary import Vocabulary

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)
FRAMES_OF_STEP = 2
"""Frames of sound that are one position of the encoder, and one step of time."""


class WhisperRunner:
    """most: how many windows are read at once. Each part's value is what was heard in its window, a list of Heard.

    features: transformers' feature extractor.
    """

    def __init__(self, module: Any, features: Any, vocabulary: Vocabulary, most: int) -> None:
        self._module = module
        self._features = features
        self._vocabulary = vocabulary
        self._most = most
        self._frames = int(module.config.max_source_positions) * FRAMES_OF_STEP
        self._waiting: deque[Reading] = deque()
        self._encoded: deque[Reading] = deque()
        self._groups: deque[Group] = deque()

    def room(self) -> int:
        running = sum(len(group.rows) for group in self._groups)
        return self._most - len(self._waiting) - len(self._encoded) - running

    def take(self, part: Part) -> None:
        self._waiting.append(Reading(part, None))

    def drop(self, parts: Iterable[Part]) -> None:
        gone = set(parts)
        for group in self._groups:
            group.drop([row.reading for row in group.rows if row.reading.part in gone])
        self._groups = deque(group for group in self._groups if group.rows)
        for queue in (self._waiting, self._encoded):
            for reading in [reading for reading in queue if reading.part in gone]:
                queue.remove(reading)

    def close(self) -> None:
        for queue in (self._waiting, self._encoded, self._groups):
            queue.clear()

    def step(self) -> Sequence[tuple[Part, Any]]:
        """Encode a part of a window, or else write the next token of a group: new windows come first."""
        with torch.inference_mode():
            return self._step()

    def _step(self) -> list[tuple[Part, Any]]:
        if self._waiting:
            return self._encode_on(self._waiting[0])
        if self._encoded:
            self._form_group()
        if not self._groups:
            return []
        group = self._groups.popleft()
        try:
            ended = self.write(group)
        except Exception as error:  # noqa: BLE001 - told where one window is alone
            return self._write_apart(group, error)
        if group.rows:
            self._groups.append(group)
        return [done for row in ended for done in self._ended(row)]

    def encode(self, reading: Reading) -> Encoding:
        """Begin to encode a window, from where it has been read."""
        if reading.features is None:
            reading.features = self._features_of(reading)
        rest = reading.features[:, :, reading.seek :]
        return Encoding(self._module.model.encoder, torch.nn.functional.pad(rest, (0, self._frames - rest.shape[-1])))

    def _encode_on(self, reading: Reading) -> list[tuple[Part, Any]]:
        """Go on with the window that is being encoded; at its end tell its language, where nobody knows it."""
        try:
            if reading.encoding is None:
                reading.encoding = self.encode(reading)
            states = reading.encoding.advance()
            if states is None:
                return []
            if not reading.recording.is_ready:
                reading.recording.language = self._language(states)
        except Exception as error:  # noqa: BLE001 - it is told as the window's own
            self._waiting.remove(reading)
            return [(reading.part, error)]
        reading.states, reading.encoding = states, None
        self._waiting.remove(reading)
        self._encoded.append(reading)
        return []

    def write(self, group: Group) -> list[Row]:
        """The next token of each window of a group; returns those that have ended."""
        return group.step()

    def _features_of(self, reading: Reading) -> Tensor:
        recording, window = reading.recording, reading.part.content
        samples = recording.sound.array()[window.start : window.stop, 0]
        rate = self._features.sampling_rate
        made = self._features(samples, sampling_rate=rate, return_tensors="pt").input_features
        features: Tensor = made.to(self._module.device, self._module.dtype)
        return features

    def _language(self, states: Tensor) -> int:
        """The likeliest language of a window. Source: transformers' `detect_language`."""
        start = torch.tensor([[self._vocabulary.start]], device=states.device)
        hidden = self._module.model.decoder(input_ids=start, encoder_hidden_states=states, use_cache=False)
        logits = self._module.proj_out(hidden.last_hidden_state)[0, -1]
        tokens = list(self._vocabulary.languages.values())
        return tokens[int(logits[tokens].argmax())]

    def _form_group(self) -> None:
        """Of the windows that are encoded, those whose texts begin with as many tokens as that of the first."""
        first = self._encoded[0]
        length = len(beginning(self._vocabulary, first))
        chosen = [first] if first.alone else [
            reading
            for reading in self._encoded
            if not reading.alone and len(beginning(self._vocabulary, reading)) == length
        ]  # fmt: skip
        for reading in chosen:
            self._encoded.remove(reading)
        self._groups.append(Group(self._module, self._vocabulary, chosen, self._most_tokens(length)))

    def _most_tokens(self, start: int) -> int:
        """How long a text may be, with the tokens that it begins with. Source: transformers' generation for Whisper."""
        config, generation = self._module.config, self._module.generation_config
        most = int(config.max_target_positions)
        if generation.max_length is None:
            return most
        return min(int(generation.max_length) + min(most // 2 - 1, start), most)

    def _write_apart(self, group: Group, error: Exception) -> list[tuple[Part, Any]]:
        """What has failed together is written anew, each window by itself: none ends for another one's sake."""
        if len(group.rows) == 1:
            return [(group.rows[0].reading.part, error)]
        log.warning("%d windows are read again one by one, since a step with them failed: %r", len(group.rows), error)
        for row in group.rows:
            row.reading.alone = True
            self._encoded.append(row.reading)
        return []

    def _ended(self, row: Row) -> list[tuple[Part, Any]]:
        """Go on with a window whose text has ended: with another attempt, with its rest, or not at all."""
        reading = row.reading
        ratio = compression_ratio(self._vocabulary.text(row.tokens))
        attempt = Attempt(reading.temperature, row.avg_logprob, ratio, row.no_speech)
        if attempt.has_failed and reading.attempt + 1 < len(reading.recording.temperatures):
            reading.attempt += 1
            self._encoded.append(reading)
            return []
        steps = None
        if not attempt.is_silence:
            tokens, steps = kept(row.tokens, self._vocabulary.times)
            reading.heard += self._heard(reading, tokens, attempt)
        if not steps or reading.seek + steps * FRAMES_OF_STEP >= self._frames_of(reading):
            return [(reading.part, reading.heard)]
        reading.seek += steps * FRAMES_OF_STEP
        reading.attempt, reading.states = 0, None
        self._waiting.append(reading)
        return []

    def _heard(self, reading: Reading, tokens: list[int], attempt: Attempt) -> list[Heard]:
        """The tokens of a text, with times that count from the beginning of their window."""
        before = reading.seek // FRAMES_OF_STEP
        shown = shifted(tokens, self._vocabulary.times, before)
        if not reading.recording.words:
            return [Heard(token, attempt) for token in shown]
        begin, positions = beginning(self._vocabulary, reading), self._frames_of(reading) // FRAMES_OF_STEP - before
        times = times_of(self._module, reading.states, begin, tokens, positions)
        step = self._features.hop_length * FRAMES_OF_STEP / self._features.sampling_rate
        return [
            Heard(token, attempt, (start + before) * step, (end + before) * step)
            for token, (start, end) in zip(shown, times, strict=True)
        ]

    def _frames_of(self, reading: Reading) -> int:
        """How many frames of a window there is sound in."""
        return min(self._frames, len(reading.part.content) // int(self._features.hop_length))
