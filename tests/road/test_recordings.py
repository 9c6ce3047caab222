"""Recordings as text, and texts as sound, through the whole road: `lf`, the API, and models of a real runtime."""

from __future__ import annotations

import io
import json
import sys
import wave
from contextlib import closing
from pathlib import Path

import openai
import pytest
from commands import Served
from farms import Farm
from projects import MINILM
from terminal import Terminal

sys.path.append(str(Path(__file__).parents[2] / "plugins" / "universal" / "tests"))  # where the small models are made

from audio_models import make_sound_classifier, make_vits, make_whisper, noise, wav_of


@pytest.fixture(scope="module")
def studio(shared: Farm, tmp_path_factory: pytest.TempPathFactory) -> Farm:
    """A project with two recordings, a model that writes them down and one that speaks, in the shared runtime."""
    folder = tmp_path_factory.mktemp("studio")
    model, voice = make_whisper(folder / "model"), make_vits(folder / "voice")
    sounds = make_sound_classifier(folder / "sounds", classes=3)
    made = Farm(folder, {**shared.environ, "LF_DATA_DIR": str(shared.folder / "data")})
    made.write(
        f"""
        runtime:
          models:
            minilm: {{provider: universal, model: "{MINILM}"}}
            sounds: {{provider: universal, model: {sounds}}}
            voice: {{provider: universal, model: {voice}}}
            whisper: {{provider: universal, model: {model}, model_api_parameters: {{temperature: 0.001}}}}
        """
    )
    for number, name in enumerate(["long.wav", "short.wav"]):
        (folder / name).write_bytes(wav_of(noise(5 - 3 * number, seed=number)))
    return made


@pytest.fixture(scope="module")
def told(studio: Farm) -> str:
    """What `lf transcribe` prints; the model that can do it is asked, without being named."""
    done = studio.lf("transcribe", "long.wav", "--language", "en")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_subtitles_and_json_hold_the_same_text(studio: Farm, told: str) -> None:
    whole = json.loads(studio.lf("transcribe", "long.wav", "-l", "en", "--json").stdout)
    assert (whole["task"], whole["duration"]) == ("transcribe", 5.0)
    assert whole["text"].split() == told.split()
    subtitles = studio.lf("transcribe", "long.wav", "-l", "en", "--format", "srt").stdout
    assert subtitles.count(" --> ") == len(whole["segments"])


def test_several_recordings_become_files(studio: Farm, told: str) -> None:
    done = studio.lf("transcribe", "long.wav", "short.wav", "-l", "en", "--output", "texts", "--format", "vtt")
    assert done.returncode == 0, done.stderr
    written = sorted((studio.folder / "texts").iterdir())
    assert [path.name for path in written] == ["long.vtt", "short.vtt"]
    assert all(path.read_text().startswith("WEBVTT") for path in written)


def test_several_recordings_are_told_apart(studio: Farm, told: str) -> None:
    printed = studio.lf("transcribe", "long.wav", "short.wav", "-l", "en").stdout
    assert printed.startswith(f"==> long.wav <==\n{told}==> short.wav <==\n")


def test_recordings_are_sorted_into_classes(studio: Farm) -> None:
    whole = json.loads(studio.lf("classify", "--sound", "long.wav", "--sound", "short.wav", "--json").stdout)
    assert [(row["index"], row["duration"], len(row["classes"])) for row in whole["data"]] == [(0, 5.0, 3), (1, 2.0, 3)]
    printed = studio.lf("classify", "--sound", "long.wav", "--model", "sounds").stdout
    assert whole["data"][0]["label"] in printed.splitlines()[1]
    assert printed.count("long.wav") == 3
    mixed = studio.lf("classify", "--sound", "long.wav", "a text")
    assert mixed.returncode == 2
    assert "other models classify texts" in mixed.stderr
    missing = studio.lf("classify", "--sound", "nowhere.wav")
    assert missing.returncode != 0
    assert "nowhere.wav" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_a_mistake_is_told_without_a_traceback(studio: Farm) -> None:
    (studio.folder / "notes.wav").write_text("no sound")
    done = studio.lf("transcribe", "notes.wav")
    assert done.returncode == 1
    assert "The file is no sound" in done.stderr
    missing = studio.lf("transcribe", "nowhere.wav")
    assert missing.returncode == 2
    assert "There is no file 'nowhere.wav'." in missing.stderr


def test_openais_client_is_answered_by_the_api(studio: Farm, told: str) -> None:
    recording = (studio.folder / "long.wav").read_bytes()
    with Served(studio) as root:
        client = openai.OpenAI(base_url=f"{root}/v1", api_key="none", timeout=60, max_retries=0)
        asked = {"model": "whisper", "language": "en"}
        whole = client.audio.transcriptions.create(file=io.BytesIO(recording), **asked)
        assert whole.text.split() == told.split()
        *deltas, done = list(client.audio.transcriptions.create(file=io.BytesIO(recording), stream=True, **asked))
        assert "".join(delta.delta for delta in deltas) == done.text == whole.text
        printed = studio.lf("transcribe", "long.wav", "-l", "en", "-m", "whisper", "--server-url", root)
        assert printed.stdout == told, printed.stderr


def test_a_text_becomes_a_file_of_the_format_that_it_ends_in(studio: Farm) -> None:
    done = studio.lf("speak", "The cows are in the barn.", "-o", "barn.wav")
    assert done.returncode == 0, done.stderr
    with wave.open(str(studio.folder / "barn.wav")) as sound:
        assert sound.getnframes() > 1000
    piped = studio.lf("speak", "-o", "story.mp3", stdin="The cows are in the barn. So is the llama.")
    assert piped.returncode == 0, piped.stderr
    assert (studio.folder / "story.mp3").stat().st_size > 500
    heard = studio.lf("transcribe", "story.mp3", "-l", "en")
    assert heard.returncode == 0, heard.stderr


def test_on_a_terminal_the_text_stands_below_what_was_shown_before_it(studio: Farm, told: str) -> None:
    with closing(Terminal(studio, "transcribe", "long.wav", "--language", "en")) as terminal:
        terminal.expect("Listening to long.wav …")
        terminal.expect("\x1b[2K" + told.split()[0])
        assert terminal.end() == 0


def test_a_program_reads_what_was_spoken_as_json(studio: Farm) -> None:
    done = studio.lf("speak", "Hello.", "-o", "hello.flac", "--json")
    size = (studio.folder / "hello.flac").stat().st_size
    assert json.loads(done.stdout) == {"path": "hello.flac", "format": "flac", "bytes": size}
    piped = studio.lf("speak", "Hello.", "--json")
    assert (piped.returncode, piped.stdout) == (2, "")
    assert "name one with --output" in piped.stderr


def test_what_cannot_be_spoken_leaves_no_file(studio: Farm) -> None:
    done = studio.lf("speak", "Hello.", "--voice", "alloy", "-o", "no.wav")
    assert done.returncode == 1
    assert "The model has no voice 'alloy'. It has default." in " ".join(done.stderr.split())
    odd = studio.lf("speak", "Hello.", "-o", "no.midi")
    assert odd.returncode == 2
    assert "'no.midi' ends in no format that is known" in " ".join(odd.stderr.split())
    assert not [*studio.folder.glob("no.*")]


def test_openais_client_has_a_text_spoken_by_the_api(studio: Farm) -> None:
    with Served(studio) as root:
        client = openai.OpenAI(base_url=f"{root}/v1", api_key="none", timeout=60, max_retries=0)
        asked = {"model": "voice", "voice": "default", "input": "Hello.", "response_format": "wav"}
        content = client.audio.speech.create(**asked).read()
        done = studio.lf("speak", "Hello.", "-m", "voice", "-o", "served.wav", "--server-url", root)
        assert done.returncode == 0, done.stderr
    assert content == (studio.folder / "served.wav").read_bytes()
    with wave.open(io.BytesIO(content)) as sound:
        assert sound.getnframes() > 100
