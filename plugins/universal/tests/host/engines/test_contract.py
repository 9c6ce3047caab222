"""Our own engines keep the contract that others are held to."""

from __future__ import annotations

import array
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audio_models import (
    make_bark,
    make_ctc,
    make_sound_classifier,
    make_speecht5,
    make_vits,
    make_whisper,
    noise,
    wav_of,
)
from encoders import break_forwards
from llamafarm_universal.engine import (
    Blob,
    ChatPrompt,
    Classify,
    ClassifySounds,
    Count,
    CountTexts,
    Embed,
    FindEntities,
    Generate,
    Limits,
    ModelRef,
    Sampling,
    Score,
    Speak,
    SpoolFolder,
    TextPrompt,
    Transcribe,
    Translate,
)
from llamafarm_universal.testing import EngineContract
from tiny_models import make_bert, make_word_tokenizer

TEXTS = ("hello world", "the quick brown fox", "jumps over the lazy dog")
MANY = tuple(f"{'hello ' * (number % 7)}world {number}" for number in range(24))


def blob(content: bytes) -> Blob:
    return Blob("application/octet-stream", len(content), content)


class TestText(EngineContract):
    engine = "llamafarm_universal.host.engines.text.spec:ENGINE"
    works = [
        Generate(TextPrompt("hello"), Sampling(max_tokens=3, temperature=0), n=2),
        Generate(ChatPrompt(({"role": "user", "content": "hello"},)), Sampling(max_tokens=3, temperature=0)),
        Count(ChatPrompt(({"role": "user", "content": "hello"},))),
        CountTexts((*TEXTS, "")),
        Embed(TEXTS),
    ]
    long = Generate(TextPrompt("the quick"), Sampling(max_tokens=20, temperature=0, logit_bias={2: -100}))
    wrong = [
        Generate(TextPrompt("")),
        Generate(TextPrompt((100_000,))),
        Generate(TextPrompt("hello"), Sampling(max_tokens=100_000)),
        Generate(TextPrompt("hello"), Sampling(stop=("",))),
        Generate(TextPrompt("hello"), n=0),
        Count(ChatPrompt(({"role": "robot", "content": "hello"},))),
        Embed(()),
    ]

    @pytest.fixture
    def model_folder(self, llama_folder: Path) -> Path:
        return llama_folder

    def weights(self, engine: Any) -> list[Any]:
        return [engine._weights.module, *engine._weights.module.parameters()]

    def fail(self, engine: Any, request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        run = engine._runner.run

        def broken(readings: Any) -> Any:
            failing = {id(item.context) for item in engine._scheduler._all() if item.request_id == request_id}
            if any(id(reading.context) in failing for reading in readings):
                raise RuntimeError("broken")
            return run(readings)

        monkeypatch.setattr(engine._runner, "run", broken)

    def alike(self, alone: Any, together: Any) -> bool:
        return vectors_alike(alone, together) if isinstance(alone.work, Embed) else super().alike(alone, together)


class Encode(EngineContract):
    """The model reads two or three texts in a step."""

    engine = "llamafarm_universal.host.engines.encode.spec:ENGINE"
    limits = Limits(batch_tokens=64)

    def weights(self, engine: Any) -> list[Any]:
        return [engine._encoder]

    def fail(self, engine: Any, request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        break_forwards(engine, request_id, monkeypatch)

    def alike(self, alone: Any, together: Any) -> bool:
        if isinstance(alone.work, CountTexts):
            return super().alike(alone, together)
        return self.numbers_alike(alone, together)

    def numbers_alike(self, alone: Any, together: Any) -> bool:
        raise NotImplementedError


class TestEmbedding(Encode):
    works = [Embed(TEXTS), CountTexts((*TEXTS, "")), Score((("hello", "world"), ("hello", "the lazy dog")))]
    long = Embed(MANY)
    wrong = [Embed(()), Embed(("",)), Embed(((100_000,),)), Embed(TEXTS, dimensions=1000), Embed(("hello " * 100,))]

    @pytest.fixture
    def model_folder(self, bert: ModelRef) -> Path:
        return Path(bert.id)

    def numbers_alike(self, alone: Any, together: Any) -> bool:
        return vectors_alike(alone, together)


class TestClassification(Encode):
    works = [Classify(TEXTS), CountTexts(TEXTS)]
    long = Classify(MANY)
    wrong = [Classify(()), Classify(("hello " * 100,)), Classify(TEXTS, labels=("good", "bad"))]

    @pytest.fixture
    def model_folder(self, models_folder: Path, tokenizer: Any) -> Path:
        return make_bert(models_folder / "contract-classes", tokenizer, "SequenceClassification", "calm", "loud")

    def numbers_alike(self, alone: Any, together: Any) -> bool:
        return close(alone, together, lambda classes: [share for row in classes.probs for share in row])


class TestCrossEncoder(Encode):
    works = [Score((("hello", "world"), ("hello", "the lazy dog"))), Classify(TEXTS), CountTexts(TEXTS)]
    long = Score(tuple(("hello", text) for text in MANY))
    wrong = [Score(()), Score((("hello", "world " * 100),))]

    @pytest.fixture
    def model_folder(self, models_folder: Path, tokenizer: Any) -> Path:
        return make_bert(models_folder / "contract-pairs", tokenizer, "SequenceClassification", "fits")

    def numbers_alike(self, alone: Any, together: Any) -> bool:
        if isinstance(alone.work, Score):
            return close(alone, together, lambda scores: [*scores.values])
        return close(alone, together, lambda classes: [share for row in classes.probs for share in row])


class TestEntities(Encode):
    works = [FindEntities(TEXTS), FindEntities(TEXTS, "first"), CountTexts(TEXTS)]
    long = FindEntities(MANY)
    wrong = [FindEntities(()), FindEntities(("hello " * 100,))]

    @pytest.fixture
    def model_folder(self, models_folder: Path, tokenizer: Any) -> Path:
        return make_bert(models_folder / "contract-names", tokenizer, "TokenClassification", "O", "B-PER", "I-PER")

    def numbers_alike(self, alone: Any, together: Any) -> bool:
        [one], [beside] = alone.finished, together.finished
        places = [[[(each.label, each.start, each.end) for each in row] for row in end.value] for end in (one, beside)]
        same = places[0] == places[1]
        return same and close(alone, together, lambda rows: [each.score for row in rows for each in row])


@pytest.fixture(scope="module")
def whisper_files(models_folder: Path) -> Path:
    return make_whisper(models_folder / "contract-whisper")


class TestWhisper(EngineContract):
    engine = "llamafarm_universal.host.engines.audio.spec:ENGINE"

    @pytest.fixture
    def model_folder(self, whisper_files: Path) -> Path:
        return whisper_files

    @pytest.fixture(autouse=True)
    def made_works(self, tmp_path: Path) -> None:
        spool = SpoolFolder(tmp_path, 2**30, 2**30)
        short, long, hello = (blob(content) for content in (wav_of(noise(1)), wav_of(noise(12)), b"hello"))
        once = {"language": "en", "temperatures": (0.0,)}
        self.works = [Transcribe(short, spool, **once), Translate(short, spool, temperatures=(0.0, 1.0))]
        self.long = Transcribe(long, spool, **once)
        self.wrong = [Transcribe(hello, spool), Transcribe(short, spool, "xx"), Translate(blob(b""), spool)]

    def weights(self, engine: Any) -> list[Any]:
        return [engine._runner._module, *engine._runner._module.parameters()]

    def fail(self, engine: Any, request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        [job] = [job for job in engine._jobs if job.request_id == request_id]
        parts, write = {*job.waiting, *job.running}, engine._runner.write

        def broken(group: Any) -> Any:
            if any(row.reading.part in parts for row in group.rows):
                raise RuntimeError("broken")
            return write(group)

        monkeypatch.setattr(engine._runner, "write", broken)

    def alike(self, alone: Any, together: Any) -> bool:
        transcripts = [json.loads(asked.finished[0].value.read()) for asked in (alone, together)]
        texts, times = (
            [[segment[name] for segment in each["segments"]] for each in transcripts] for name in ("text", "start")
        )
        return texts[0] == texts[1] and times[0] == times[1]


class TestCtc(EngineContract):
    engine = "llamafarm_universal.host.engines.audio.spec:ENGINE"

    def make_model(self, folder: Path) -> None:
        make_ctc(folder)

    @pytest.fixture(autouse=True)
    def made_works(self, tmp_path: Path) -> None:
        spool = SpoolFolder(tmp_path, 2**30, 2**30)
        short, long, hello = (blob(content) for content in (wav_of(noise(1)), wav_of(noise(50)), b"hello"))
        self.works = [Transcribe(short, spool)]
        self.long = Transcribe(long, spool)
        self.wrong = [Transcribe(hello, spool), Transcribe(short, spool, "de"), Transcribe(short, spool, prompt="a")]

    def weights(self, engine: Any) -> list[Any]:
        return [engine._runner, *engine._runner.module.parameters()]

    def fail(self, engine: Any, request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        fail_computing(engine, request_id, monkeypatch)

    def alike(self, alone: Any, together: Any) -> bool:
        one, beside = (asked.finished[0].value.read() for asked in (alone, together))
        return bool(one == beside)


class TestSoundClasses(EngineContract):
    engine = "llamafarm_universal.host.engines.audio.spec:ENGINE"

    def make_model(self, folder: Path) -> None:
        make_sound_classifier(folder)

    @pytest.fixture(autouse=True)
    def made_works(self, tmp_path: Path) -> None:
        spool = SpoolFolder(tmp_path, 2**30, 2**30)
        short, other, long, hello = (
            blob(content) for content in (wav_of(noise(1)), wav_of(noise(0.5)), wav_of(noise(150)), b"hello")
        )
        self.works = [ClassifySounds((short,), spool), ClassifySounds((short, other), spool, 2)]
        self.long = ClassifySounds((long,), spool)
        self.wrong = [ClassifySounds((hello,), spool), ClassifySounds((short, blob(b"")), spool)]

    def weights(self, engine: Any) -> list[Any]:
        return [engine._runner, *engine._runner.module.parameters()]

    def fail(self, engine: Any, request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        fail_computing(engine, request_id, monkeypatch)

    def alike(self, alone: Any, together: Any) -> bool:
        return close(alone, together, lambda rows: [label.score for row in rows for label in row.labels])


class TestVits(EngineContract):
    engine = "llamafarm_universal.host.engines.audio.spec:ENGINE"
    works = [Speak(("hello",)), Speak(("good", "1", "morning"), seed=1)]
    long = Speak(tuple(f"hello {letter}" for letter in "abcdefgh"))
    wrong = [Speak(("1",)), Speak(("hello",), voice="alloy")]

    def make_model(self, folder: Path) -> None:
        make_vits(folder)

    def weights(self, engine: Any) -> list[Any]:
        return [engine._runner, *engine._runner.module.parameters()]

    def fail(self, engine: Any, request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        fail_computing(engine, request_id, monkeypatch)


class TestBark(EngineContract):
    engine = "llamafarm_universal.host.engines.audio.spec:ENGINE"
    works = [Speak(("hello",)), Speak(("the lazy dog", "fox"), "v2/en_speaker_0", seed=1)]
    long = Speak(("the lazy dog", "hello world", "a quick fox"))
    wrong = [Speak(("hello " * 40,)), Speak(("hello",), voice="alloy"), Speak(("hello",), speed=2.0)]

    def make_model(self, folder: Path) -> None:
        make_bark(folder, make_word_tokenizer())

    def weights(self, engine: Any) -> list[Any]:
        return [engine._runner, *engine._runner.module.parameters()]

    def fail(self, engine: Any, request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        fail_computing(engine, request_id, monkeypatch)


class TestSpeechT5(EngineContract):
    engine = "llamafarm_universal.host.engines.audio.spec:ENGINE"
    works = [Speak(("hello",)), Speak(("the lazy dog", "fox"), "bo", seed=1)]
    long = Speak(("the lazy dog", "hello world", "a quick fox"))
    wrong = [Speak(("hello " * 40,)), Speak(("hello",), voice="alloy"), Speak(("hello",), speed=2.0)]

    def make_model(self, folder: Path) -> None:
        make_speecht5(folder)

    def weights(self, engine: Any) -> list[Any]:
        return [engine._runner, *engine._runner.module.parameters()]

    def fail(self, engine: Any, request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        fail_computing(engine, request_id, monkeypatch)


def fail_computing(engine: Any, request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an audio engine fail over what a request has left to compute, in whatever batch it is."""
    [job] = [job for job in engine._jobs if job.request_id == request_id]
    parts, compute = {*job.waiting, *job.running}, engine._runner.compute

    def broken(batch: Any) -> Any:
        if not parts.isdisjoint(batch):
            raise RuntimeError("broken")
        return compute(batch)

    monkeypatch.setattr(engine._runner, "compute", broken)


def close(alone: Any, together: Any, numbers_in: Callable[[Any], list[float]]) -> bool:
    """Whether two answers count the same tokens, and their numbers differ in the last bits alone."""
    [one], [beside] = alone.finished, together.finished
    return one.usage == beside.usage and numbers_in(one.value) == pytest.approx(numbers_in(beside.value), abs=1e-5)


def vectors_alike(alone: Any, together: Any) -> bool:
    return close(alone, together, numbers)


def numbers(value: Any) -> list[float]:
    """Of vectors, or of scores."""
    if isinstance(value, tuple):
        return [number for vector in value for number in array.array("f", vector)]
    return [*value.values]
