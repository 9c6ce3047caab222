"""Is ten minutes of sound written down 1.5 times as fast as by transformers' own pipeline, one window after the other?

In one process and without HTTP. The model has the shape of whisper-tiny and random weights, sure of each of its tokens;
each window's text ends after TOKENS of them, as 30 seconds of speech do. Both must write the same text. Time is that of
the processor (wall clock on a GPU), on `--threads` threads, so that what else the machine does has little part in it.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from llamafarm_universal.engine import Blob, Finished, MediaSettings, SpoolFolder, Transcribe, decoder_of
from llamafarm_universal.host.engines.audio.load import load_audio
from llamafarm_universal.messages import LoadSettings, Machine, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.plan import make_plan
from processes import end_properly
from textgen import machine

RATE = 16_000
SECONDS = 600
WINDOW = 30
TOKENS = 100
"""What a window of speech has: two and a half words a second."""
BUDGET = 1.5
ROUNDS = 2
LETTERS = 50_257
"""Tokens of text in Whisper's vocabulary."""
GRANT = 10**9


def recording(seconds: int) -> np.ndarray[Any, Any]:
    """Noise that swells and fades, as 16-bit numbers have it."""
    chance = np.random.default_rng(0)
    loudness = np.repeat(chance.uniform(0.01, 0.3, seconds * 10), RATE // 10)
    samples = (chance.standard_normal(loudness.size) * loudness).clip(-1, 1)
    return (samples * 32767).astype("<i2")


def make_tokenizer() -> Any:
    """Bytes, words that nobody says, and Whisper's special tokens; behind them lie the times."""
    from tokenizers import AddedToken, pre_tokenizers
    from transformers import WhisperTokenizer

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [f"Ġ{number:x}" for number in range(LETTERS - len(letters))]
    vocabulary = {piece: number for number, piece in enumerate([*letters, *words])}
    tokenizer = WhisperTokenizer(vocab={**vocabulary, "<|endoftext|>": len(vocabulary)}, merges=[])
    names = [
        "startoftranscript",
        "en",
        "translate",
        "transcribe",
        "startoflm",
        "startofprev",
        "nospeech",
        "notimestamps",
    ]
    tokenizer.add_special_tokens({"additional_special_tokens": [f"<|{name}|>" for name in names]})
    times = [f"<|{step * 0.02:.2f}|>" for step in range(WINDOW * 50 + 1)]
    tokenizer.add_tokens([AddedToken(time, special=False, normalized=False) for time in times])
    return tokenizer


def write_model(folder: Path) -> None:
    """Whisper-tiny's shape. A text is as long as the longest that its configuration allows: TOKENS."""
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
    )

    tokenizer = make_tokenizer()
    id_of = tokenizer.convert_tokens_to_ids
    end = id_of("<|endoftext|>")
    torch.manual_seed(0)
    special = {"pad_token_id": end, "bos_token_id": end, "eos_token_id": end}
    special["decoder_start_token_id"] = id_of("<|startoftranscript|>")
    config = WhisperConfig(vocab_size=len(tokenizer), init_std=0.2, **special)
    model = WhisperForConditionalGeneration(config)
    times = range(id_of("<|0.00|>") + 1, len(tokenizer))
    model.generation_config = GenerationConfig(
        **special,
        max_length=TOKENS,
        is_multilingual=True,
        lang_to_id={"<|en|>": id_of("<|en|>")},
        task_to_id={task: id_of(f"<|{task}|>") for task in ("transcribe", "translate")},
        no_timestamps_token_id=id_of("<|notimestamps|>"),
        prev_sot_token_id=id_of("<|startofprev|>"),
        max_initial_timestamp_index=50,
        suppress_tokens=[end, *range(end + 1, id_of("<|0.00|>")), *times],  # a window is one segment
        begin_suppress_tokens=[end],
        return_timestamps=True,
    )
    model.save_pretrained(folder)
    WhisperProcessor(WhisperFeatureExtractor(), tokenizer).save_pretrained(folder)


def ours(folder: Path, samples: np.ndarray[Any, Any], spool: Path) -> tuple[Callable[[], str], str]:
    """What writes the recording down, and on which device."""
    media = MediaSettings(spool=spool)
    plan = make_plan(ModelRef(str(folder), LoadSettings(dtype="fp32")), folder, Machine(), Limits(media=media))
    engine, content = load_audio(plan, GRANT), wav_of(samples)
    room = SpoolFolder(spool, 2**31, 2**31)
    blob = Blob("audio/wav", len(content), content)

    def run() -> str:
        work, told = Transcribe(blob, room, language="en", temperatures=(0.0,)), []
        engine.submit("1", work, engine.prepare(work), told.append)
        while engine.step():
            pass
        assert isinstance(told[-1], Finished), told[-1]
        return str(json.loads(told[-1].value.read())["text"])

    decoder_of(media).sound(blob, room, sample_rate=RATE)  # the process that decodes is there
    return run, plan.device


def plain(folder: Path, samples: np.ndarray[Any, Any], device: str) -> Callable[[], str]:
    """transformers' pipeline, which writes one window after the other."""
    from transformers import pipeline

    given: dict[str, Any] = {"chunk_length_s": WINDOW, "device": device, "dtype": torch.float32, "ignore_warning": True}
    made: Any = pipeline("automatic-speech-recognition", str(folder), **given)
    options = {"num_beams": 1, "language": "en", "task": "transcribe"}
    floats = samples.astype(np.float32) / 32768

    def run() -> str:
        return str(made(floats.copy(), return_timestamps=True, generate_kwargs=options)["text"]).strip()

    return run


def wav_of(samples: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(samples.tobytes())
    return file.getvalue()


def seconds(work: Callable[[], str], clock: Callable[[], float]) -> tuple[float, str]:
    began = clock()
    text = work()
    return clock() - began, text


def measure(length: int, rounds: int) -> dict[str, Any]:
    samples = recording(length)
    with tempfile.TemporaryDirectory() as home:
        folder, spool = Path(home) / "model", Path(home) / "spool"
        spool.mkdir()
        write_model(folder)
        mine, device = ours(folder, samples, spool)
        theirs = plain(folder, samples, device)
        clock = time.process_time if device == "cpu" else time.monotonic
        told = [[seconds(work, clock) for work in (theirs, mine)] for _ in range(rounds)]
    texts = {text for each in told for _, text in each}
    pipeline, engine = (min(each[at][0] for each in told) for at in (0, 1))
    return {
        "seconds_of_sound": length,
        "device": device,
        **machine(),
        "pipeline_seconds": pipeline,
        "seconds": engine,
        "ratio": pipeline / engine,
        "same_text": len(texts) == 1,
        "words": len(told[0][0][1].split()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of sound")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of which the best one counts")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print what was measured as JSON")
    given = parser.parse_args()
    end_properly()
    torch.set_num_threads(given.threads)
    measured = measure(given.seconds, given.rounds)
    if given.json:
        print(json.dumps(measured))
    else:
        print(f"{given.seconds} s of sound, {measured['words']:,} words, {measured['device']}")
        print(f"{measured['processor']} ({', '.join(measured['features'])}), threads: {measured['threads']}")
        print(f"s: pipeline {measured['pipeline_seconds']:.1f}, ours {measured['seconds']:.1f}")
        print(f"ours is {measured['ratio']:.2f} times as fast; the budget is {BUDGET}")
    if not measured["same_text"]:
        sys.exit("the texts differ")
    if measured["ratio"] < BUDGET:
        sys.exit("under the budget")


if __name__ == "__main__":
    main()
