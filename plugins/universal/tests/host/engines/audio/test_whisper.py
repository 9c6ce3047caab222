"""Whisper writes down what transformers' own generation and pipeline do, alone and beside others."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from audio_models import POSITIONS, RATE, SECONDS, make_whisper, noise
from listening import Listening, pieces
from llamafarm_universal.engine import Blob, RequestFailed, Transcribe, Translate
from llamafarm_universal.host.engines.audio.whisper.alignment import times_of, warped
from llamafarm_universal.host.engines.audio.whisper.encoder import Encoding
from llamafarm_universal.host.engines.audio.whisper.reading import Attempt
from llamafarm_universal.host.engines.audio.whisper.vocabulary import Vocabulary
from transformers import pipeline

Samples = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def plain(whisper_folder: Path) -> Any:
    """transformers' pipeline, which writes one window after the other; it searches with beams unless it is told."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pipeline("automatic-speech-recognition", str(whisper_folder), chunk_length_s=SECONDS)


@pytest.fixture(scope="module")
def piped(plain: Any) -> Callable[..., str]:
    """The text that the pipeline writes down."""

    def text(samples: Samples, **options: Any) -> str:
        told = plain(samples.copy(), return_timestamps=True, generate_kwargs={"num_beams": 1, **options})
        return str(told["text"]).lstrip()

    return text


@pytest.fixture
def reads(whisper: Listening, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The windows that the encoder reads, as often as it does."""
    readings: list[Any] = []
    encode = whisper.engine._runner.encode
    monkeypatch.setattr(whisper.engine._runner, "encode", lambda reading: readings.append(reading) or encode(reading))
    return readings


def test_one_window_is_what_generate_writes(whisper: Listening, plain: Any) -> None:
    samples = noise(SECONDS, seed=3)
    features = plain.feature_extractor(samples, sampling_rate=RATE, return_tensors="pt").input_features
    [tokens] = plain.model.generate(features, language="fr", task="transcribe", return_timestamps=True).tolist()
    written = [
        token for segment in whisper.transcript(samples, language="fr")["segments"] for token in segment["tokens"]
    ]
    letters = plain.tokenizer.convert_tokens_to_ids("<|endoftext|>")
    assert written == [token for token in tokens if token < letters]


def test_a_long_recording_is_what_the_pipeline_writes(
    whisper: Listening, recording: Samples, piped: Callable[..., str], reads: list[Any]
) -> None:
    """Here the model reads each window at one go; where it does not, the pipeline loses count of the times."""
    transcript = whisper.transcript(recording, language="en")
    assert len(reads) == 5
    assert len(transcript["segments"]) == 3
    assert transcript["text"] == piped(recording, language="en")
    assert transcript["duration"] == len(recording) / RATE


def test_recordings_beside_each_other_are_written_as_alone(whisper: Listening) -> None:
    works = [whisper.work(noise(seconds, seed=5), language="de") for seconds in (5, 1, 3.5)]
    together = whisper.values(*works)
    alone = [whisper.values(work)[0] for work in works]
    assert [each["text"] for each in together] == [each["text"] for each in alone]


def test_a_small_grant_reads_one_window_at_a_time(
    whisper: Listening, whisper_folder: Path, recording: Samples, tmp_path: Path
) -> None:
    narrow = Listening(whisper_folder, tmp_path, grant=1)
    assert narrow.engine._runner.room() == 1
    assert narrow.transcript(recording, language="de")["text"] == whisper.transcript(recording, language="de")["text"]
    narrow.close()


def test_a_translation_is_what_the_pipeline_translates(
    whisper: Listening, recording: Samples, piped: Callable[..., str]
) -> None:
    translated = whisper.transcript(recording, kind=Translate, language="fr")["text"]
    assert translated == piped(recording, language="fr", task="translate")
    assert translated != whisper.transcript(recording, language="fr")["text"]


def test_the_language_is_what_the_model_hears_in_the_first_window(whisper: Listening, plain: Any) -> None:
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    for seed in range(3):
        samples = noise(SECONDS, seed=seed)
        features = plain.feature_extractor(samples, sampling_rate=RATE, return_tensors="pt").input_features
        [token] = plain.model.detect_language(features).tolist()
        transcript = whisper.transcript(samples)
        code = TO_LANGUAGE_CODE[transcript["language"]]
        assert f"<|{code}|>" == plain.tokenizer.convert_ids_to_tokens(token)
        assert transcript["text"] == whisper.transcript(samples, language=code)["text"]


def test_a_prompt_goes_before_the_text(whisper: Listening, recording: Samples, plain: Any, piped: Any) -> None:
    ids = torch.tensor(plain.tokenizer.get_prompt_ids("Hay"))
    prompted = whisper.transcript(recording[: SECONDS * RATE], language="en", prompt="Hay")["text"]
    assert prompted == piped(recording[: SECONDS * RATE], language="en", prompt_ids=ids)
    assert prompted != whisper.transcript(recording[: SECONDS * RATE], language="en")["text"]


def test_the_end_of_a_long_prompt_counts(whisper: Listening, recording: Samples) -> None:
    long, end = "x" * 100 + "y" * 22, "y" * 22  # 22 tokens, behind the one that says what they are
    texts = [whisper.transcript(recording, language="en", prompt=prompt)["text"] for prompt in (long, end)]
    assert texts[0] == texts[1]


def test_segments_lie_in_the_recording_in_their_order(whisper: Listening, recording: Samples) -> None:
    segments = whisper.transcript(recording, language="en")["segments"]
    assert segments
    assert all(0 <= segment["start"] <= len(recording) / RATE + SECONDS for segment in segments)
    assert all(segment["text"] for segment in segments)


def test_the_pieces_are_the_text(whisper: Listening, recording: Samples) -> None:
    [events] = whisper.events(whisper.work(recording, language="de"))
    assert len(pieces(events)) > 1
    assert "".join(pieces(events)) == whisper.transcript(recording, language="de")["text"]


def test_silence_is_not_read(whisper: Listening, reads: list[Any]) -> None:
    silence = np.zeros(RATE * 6, np.float32)
    assert whisper.transcript(silence) == {
        "text": "", "language": None, "duration": 6.0, "segments": [], "words": [],
    }  # fmt: skip
    assert reads == []
    assert whisper.transcript(np.concatenate([silence, noise(SECONDS)]))["language"] is not None
    assert reads
    assert all(reading.part.content.stop > RATE * 6 for reading in reads)


def test_attempts_go_on_until_one_looks_right(whisper: Listening, recording: Samples) -> None:
    """Random weights are never sure, so that all temperatures are tried; chance is the same each time."""
    work = whisper.work(recording, language="en", temperatures=(0.0, 0.5, 1.0))
    first, again = (whisper.values(work)[0] for _ in range(2))
    assert first == again
    assert {segment["temperature"] for segment in first["segments"]} <= {0.0, 0.5, 1.0}
    assert {segment["temperature"] for segment in first["segments"]} != {0.0}


@pytest.mark.parametrize(
    ("logprob", "compression", "no_speech", "failed", "silent"),
    [
        (-0.5, 1.5, 0.1, False, False),
        (-1.5, 1.5, 0.1, True, False),
        (-0.5, 3.0, 0.1, True, False),
        (-1.5, 1.5, 0.9, False, True),
        (-0.5, 1.5, 0.9, False, False),
    ],
)
def test_what_looks_like_a_failure(
    logprob: float, compression: float, no_speech: float, failed: bool, silent: bool
) -> None:
    attempt = Attempt(0.0, logprob, compression, no_speech)
    assert (attempt.has_failed, attempt.is_silence) == (failed, silent)


def test_what_is_wrong_is_refused_with_the_field(whisper: Listening) -> None:
    samples = noise(1)
    with pytest.raises(RequestFailed, match="does not know the language 'xx'") as unknown:
        whisper.engine.prepare(whisper.work(samples, language="xx"))
    assert (unknown.value.param, unknown.value.hint) == ("language", "It knows de, en, fr.")
    with pytest.raises(RequestFailed, match="holds tokens that are no text") as special:
        whisper.engine.prepare(whisper.work(samples, prompt="a<|endoftext|>b"))
    assert special.value.param == "prompt"
    with pytest.raises(RequestFailed, match="The file is no sound") as text:
        whisper.engine.prepare(Transcribe(Blob("text/plain", 5, b"hello"), whisper.spool))
    assert text.value.param == "file"


def test_tokens_have_the_times_that_transformers_finds(plain: Any) -> None:
    from transformers.utils import ModelOutput

    tokens = plain.tokenizer("the cows are in the barn", add_special_tokens=False)["input_ids"]
    begin = plain.tokenizer.convert_tokens_to_ids(["<|startoftranscript|>", "<|en|>", "<|transcribe|>"])
    features = plain.feature_extractor(noise(SECONDS), sampling_rate=RATE, return_tensors="pt").input_features
    ids = torch.tensor([[*begin, *tokens]])
    with torch.no_grad():
        states = plain.model.model.encoder(features).last_hidden_state
        times = times_of(plain.model, states, begin, tokens, POSITIONS)
        plain.model.set_attn_implementation("eager")
        seen = plain.model(features, decoder_input_ids=ids, output_attentions=True).cross_attentions
        plain.model.set_attn_implementation("sdpa")
        heads = plain.model.generation_config.alignment_heads
        outputs = ModelOutput(sequences=ids, cross_attentions=(seen,))
        [wanted] = plain.model._extract_token_timestamps(outputs, heads, num_frames=2 * POSITIONS, num_input_ids=3)
    assert np.allclose([end * 0.02 for _, end in times], wanted[3:-1], atol=1e-4)
    assert len({end for _, end in times}) > 2
    assert [start for start, _ in times[1:]] == [end for _, end in times[:-1]]


def test_words_of_a_recording_lie_in_it(whisper: Listening, recording: Samples) -> None:
    transcript = whisper.transcript(recording, language="en", words=True)
    assert len(transcript["words"]) > 5
    assert all(0 <= word["start"] <= word["end"] <= 8 for word in transcript["words"])
    assert transcript["text"] == whisper.transcript(recording, language="en")["text"]
    assert whisper.transcript(recording, language="en")["words"] == []


def test_words_take_the_punctuation_that_belongs_to_them(plain: Any) -> None:
    vocabulary = Vocabulary(plain.tokenizer, plain.model.generation_config)
    ids = plain.tokenizer(' So, "now" or never.', add_special_tokens=False)["input_ids"]
    timed = [(token, float(at), at + 1.0) for at, token in enumerate(ids)]
    words = vocabulary.words(timed, "english")
    assert [word.word for word in words] == ["So,", '"now"', "or", "never."]
    assert (words[0].start, words[0].end, words[-1].end) == (0.0, 4.0, float(len(ids)))


def test_rows_are_entered_on_the_cheapest_way() -> None:
    """As transformers' own loop over all places finds it."""
    from transformers.models.whisper.generation_whisper import _dynamic_time_warping

    for seed in range(5):
        costs = np.random.default_rng(seed).normal(size=(13, 40))
        rows, columns = _dynamic_time_warping(costs)
        assert warped(costs) == columns[np.pad(np.diff(rows), (1, 0), constant_values=1).astype(bool)].tolist()


def test_the_encoder_goes_on_where_it_was_interrupted(plain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    features = plain.feature_extractor(noise(SECONDS), sampling_rate=RATE, return_tensors="pt").input_features
    monkeypatch.setattr("llamafarm_universal.host.engines.audio.whisper.encoder.TURN_SECONDS", -1.0)
    encoder = plain.model.model.encoder
    with torch.inference_mode():
        encoding = Encoding(encoder, features)
        states = [encoding.advance() for _ in encoder.layers]
        assert [made is None for made in states] == [True, False]
        assert torch.equal(states[-1], encoder(features).last_hidden_state)


def test_ten_minutes_are_written_down_to_the_last_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamed and whole, by a model of windows of 30 seconds, as Whisper has them; a few letters in each."""
    folder = make_whisper(tmp_path / "model", seed=14, seconds=30)
    settings = json.loads((folder / "generation_config.json").read_text())
    start = settings["no_timestamps_token_id"] + 1
    settings |= {"suppress_tokens": [*range(settings["eos_token_id"], start), *range(start + 1, start + 1501)]}
    (folder / "generation_config.json").write_text(json.dumps({**settings, "max_length": 10}))
    samples, engine, numbers = noise(600, seed=6), Listening(folder, tmp_path), []
    encode = engine.engine._runner.encode
    monkeypatch.setattr(
        engine.engine._runner, "encode", lambda reading: numbers.append(reading.part.number) or encode(reading)
    )
    [events] = engine.events(engine.work(samples, language="en"))
    transcript = json.loads(events[-1].value.read())  # type: ignore[union-attr]
    engine.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain: Any = pipeline("automatic-speech-recognition", str(folder), chunk_length_s=30)
        told = plain(samples.copy(), return_timestamps=True, generate_kwargs={"num_beams": 1, "language": "en"})
    assert sorted(numbers) == [*range(30)], "each window has been read, and once"
    assert transcript["text"] == told["text"].lstrip() == "".join(pieces(events))
    assert transcript["duration"] == 600
