"""The example `bell` as a stranger has it: an engine beside the Universal Runtime, asked over HTTP from outside."""

from __future__ import annotations

import io
import json
import re
import wave
from array import array
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from commands import Running, wait_until
from llamafarm.wire import sse
from throwaway import CORE, OPENAI, ROOT, UNIVERSAL, Environment, link_dependencies

BELL = ROOT / "examples" / "bell_engine"
TUNE = {"notes": "C5 E5 G5 C6", "beat": 0.25}
LONG = {"notes": "C4 " * 100, "beat": 0.5}


@pytest.fixture(scope="module")
def ringer(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Somebody with the runtime and the engine, installed from their wheels."""
    made = Environment(tmp_path_factory.mktemp("ringer"), of=[CORE, OPENAI])
    link_dependencies(made.site, UNIVERSAL, "server")
    made.install(CORE, OPENAI, UNIVERSAL, BELL)
    return made


@pytest.fixture(scope="module")
def bell(ringer: Environment) -> Path:
    """The bell that the README shows."""
    [shown] = re.findall(r"```json\n(.+?)```", (BELL / "README.md").read_text(), re.DOTALL)
    return ringer.write("my-bell/config.json", shown).parent


@pytest.fixture(scope="module")
def runtime(ringer: Environment, bell: Path) -> Iterator[httpx.Client]:
    config = ringer.write("runtime.yaml", f"models: [{{id: {bell}}}]")
    ringer.environ |= {"UNIVERSAL_RUNTIME_CONFIG": str(config), "UNIVERSAL_RUNTIME_SPOOL": str(ringer.home / "spool")}
    with Running(ringer.start("python", "-m", "llamafarm_universal.server", "--port", "0")) as serving:
        serving.until("listens on http://")
        wait_until(lambda: serving.stdout.endswith("\n"), "the address is complete")
        with httpx.Client(base_url=serving.stdout.split("listens on ")[1].split()[0], timeout=60) as client:
            yield client


def ring(runtime: httpx.Client, bell: Path, tune: object = TUNE, *, stream: bool = False) -> httpx.Response:
    return runtime.post("/v1/operations/ring", json={"model": str(bell), "input": tune, "stream": stream})


def seconds(sound: bytes) -> float:
    """How long a WAV file is, which is not silent."""
    with wave.open(io.BytesIO(sound)) as file:
        assert max(array("h", file.readframes(file.getnframes()))) > 20_000
        return file.getnframes() / file.getframerate()


def test_a_melody_comes_as_a_sound(runtime: httpx.Client, bell: Path) -> None:
    """It is larger than what goes from process to process in a message."""
    answer = ring(runtime, bell, {"notes": "C5 E5 G5 - C6 - - -", "beat": 0.75})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "audio/wav"
    assert len(answer.content) > 256 * 1024
    assert seconds(answer.content) == pytest.approx(9.0)


def test_a_stream_tells_each_note_and_ends_with_the_same_sound(runtime: httpx.Client, bell: Path) -> None:
    parsed = [sse.parse(frame) for frame in ring(runtime, bell, stream=True).content.split(b"\n\n")]
    events = [(event.name, json.loads(event.data)) for event in parsed if event and event.data]
    assert events[:-1] == [("progress", {"index": 0, "done": note, "total": 4}) for note in (1, 2, 3, 4)]
    name, last = events[-1]
    assert (name, last["value"]["media_type"]) == ("finished", "audio/wav")
    assert b64decode(last["value"]["data"]) == ring(runtime, bell).content


def test_a_client_that_goes_away_frees_the_bell_for_the_next(runtime: httpx.Client, bell: Path) -> None:
    body = {"model": str(bell), "input": LONG, "stream": True}
    with runtime.stream("POST", "/v1/operations/ring", json=body) as answer:
        assert b"progress" in next(answer.iter_raw())
    assert ring(runtime, bell).status_code == 200


@pytest.mark.parametrize(
    ("tune", "param", "word"),
    [
        ({"notes": "C5 H5"}, "input.notes", "'H5' is no note"),
        ({"notes": "C5", "tempo": 90}, "input.tempo", "tempo"),
        ({}, "input.notes", "notes"),
    ],
)
def test_a_wrong_melody_is_told_which_field_is_wrong(
    runtime: httpx.Client, bell: Path, tune: object, param: str, word: str
) -> None:
    answer = ring(runtime, bell, tune)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert word in answer.json()["error"]["message"]


def test_a_bell_does_nothing_but_ring(runtime: httpx.Client, bell: Path) -> None:
    chat = {"model": str(bell), "messages": [{"role": "user", "content": "Ring!"}]}
    answer = runtime.post("/v1/chat/completions", json=chat)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "operation_not_supported")
    assert "`ring`" in answer.json()["error"]["message"]


def test_the_loaded_bell_is_described_as_what_it_is(runtime: httpx.Client, bell: Path) -> None:
    ring(runtime, bell)
    known = runtime.get(f"/v1/models/{bell}").json()
    assert (known["task"], known["engine"]) == ("bell", "bell")
