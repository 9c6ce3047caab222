"""Chats about pictures, sounds and films over HTTP: the official client, and what is refused early."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from audio_models import noise as hum
from audio_models import wav_of
from films import film
from pictures import noise, png
from runtime_servers import BOUND, Running, ServerProcess, wait_until

PICTURE, OTHER = png(noise(1, 90, 60)), png(noise(2, 60, 90))


def data_url(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def shown(content: bytes, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_url(content), **more}}


def said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


@pytest.fixture(scope="module")
def llava(models: dict[str, Path]) -> str:
    return str(models["llava"])


@pytest.fixture(scope="module")
def client(real: ServerProcess) -> Any:
    with openai.OpenAI(base_url=f"{real.url}/v1", api_key="none", max_retries=0, timeout=BOUND) as made:
        yield made


def ask(model: str, *content: Any, **fields: Any) -> Any:
    return {
        "model": model,
        "messages": [{"role": "user", "content": list(content)}],
        "temperature": 0,
        "max_tokens": 12,
        **fields,
    }


def test_a_question_about_a_picture_is_answered_streamed_or_not(client: openai.OpenAI, llava: str) -> None:
    asked = ask(llava, shown(PICTURE, detail="low"), said("What is this?"))
    whole = client.chat.completions.create(**asked)
    chunks = list(client.chat.completions.create(**asked, stream=True))
    assert whole.choices[0].message.content
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert streamed == whole.choices[0].message.content
    other = client.chat.completions.create(**ask(llava, shown(OTHER), said("What is this?")))
    assert other.choices[0].message.content != streamed


def test_usage_and_the_count_beforehand_include_the_picture(client: openai.OpenAI, llava: str) -> None:
    asked = ask(llava, shown(PICTURE), said("Small?"), max_tokens=2)
    used = client.chat.completions.create(**asked).usage
    body = {"model": llava, "messages": asked["messages"]}
    counted = client.post("/chat/completions/input_tokens", body=body, cast_to=httpx.Response).json()
    without = client.chat.completions.create(**ask(llava, said("Small?"), max_tokens=2)).usage
    assert used and without
    assert used.prompt_tokens == counted["input_tokens"] > without.prompt_tokens + 16


def test_a_second_question_about_a_picture_finds_what_has_been_read(client: openai.OpenAI, llava: str) -> None:
    picture = shown(png(noise(7, 50, 50)))
    first = client.chat.completions.create(**ask(llava, picture, said("One?")))
    second = client.chat.completions.create(**ask(llava, picture, said("And two?")))
    assert first.usage and second.usage
    assert first.usage.prompt_tokens_details.cached_tokens == 0  # type: ignore[union-attr]
    assert second.usage.prompt_tokens_details.cached_tokens >= 16  # type: ignore[union-attr]


def test_answers_about_pictures_can_be_structured(client: openai.OpenAI, llava: str) -> None:
    schema = {"type": "object", "properties": {"cow": {"type": "boolean"}}, "required": ["cow"]}
    told = {"type": "json_schema", "json_schema": {"name": "seen", "schema": schema}}
    asked = ask(llava, shown(PICTURE), said("Is it?"), response_format=told, max_tokens=200)
    answer = client.chat.completions.create(**asked)
    assert isinstance(json.loads(answer.choices[0].message.content or "")["cow"], bool)


def test_the_files_of_a_request_are_gone_when_it_has_been_answered(
    real: ServerProcess, llava: str, data_folder: Path
) -> None:
    answer = httpx.post(f"{real.url}/v1/chat/completions", json=ask(llava, shown(PICTURE)), timeout=BOUND)
    assert answer.status_code == 200, answer.text
    spools = data_folder / "spool"
    assert spools.is_dir()
    wait_until(lambda: not left_in(spools), "no file is left")


def left_in(spools: Path) -> list[Path]:
    return [path for path in spools.rglob("*") if path.is_file() and path.stat().st_size]


def test_a_question_about_a_film_is_answered_and_its_pictures_are_counted(
    client: openai.OpenAI, llava: str, data_folder: Path
) -> None:
    url = f"data:video/mp4;base64,{base64.b64encode(film()).decode()}"
    parts: list[Any] = [{"type": "video_url", "video_url": address} for address in ({"url": url}, url)]
    answers = [client.chat.completions.create(**ask(llava, part, said("What happens?"))) for part in parts]
    assert answers[0].choices[0].message.content
    assert answers[0].choices[0].message.content == answers[1].choices[0].message.content
    body = {"model": llava, "messages": ask(llava, parts[0], said("What happens?"))["messages"]}
    counted = client.post("/chat/completions/input_tokens", body=body, cast_to=httpx.Response).json()
    assert answers[0].usage
    assert answers[0].usage.prompt_tokens == counted["input_tokens"] > 8 * 16
    wait_until(lambda: not left_in(data_folder / "spool"), "no file is left")


def test_a_question_about_a_sound_is_answered(client: openai.OpenAI, models: dict[str, Path]) -> None:
    model, coded = str(models["hearing"]), base64.b64encode(wav_of(hum(0.5))).decode()
    sound = {"type": "input_audio", "input_audio": {"data": coded, "format": "wav"}}
    address = {"type": "audio_url", "audio_url": {"url": f"data:audio/wav;base64,{coded}"}}
    answers = [
        client.chat.completions.create(**ask(model, part, said("Who is it?"))).choices[0].message.content
        for part in (sound, address)
    ]
    assert answers[0] == answers[1]
    assert answers[0]
    assert client.models.retrieve(model).model_dump()["features"].count("sound") == 1


@pytest.mark.parametrize(
    ("part", "status", "why"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,@@@"}}, 400, "The data is not base64."),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}, 400, "The data is empty."),
        ({"type": "image_url", "image_url": {"url": data_url(b"no picture")}}, 400, "The file is no picture"),
        ({"type": "image_url", "image_url": {"url": data_url(png(noise(1, 4000, 2)))}}, 400, "more than 200 times"),
        ({"type": "image_url", "image_url": {"url": "http://127.0.0.1/x.png"}}, 400, "This server fetches no URLs."),
        ({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}, 400, "This server fetches no URLs."),
        ({"type": "image_url", "image_url": {"url": data_url(PICTURE), "detail": "x"}}, 400, "must be one of 'auto'"),
        ({"type": "image_url"}, 400, "image_url"),
        ({"type": "file", "file": {"file_data": "x"}}, 400, "a part of type 'file' cannot be read"),
        ({"type": "video_url", "video_url": {"url": data_url(PICTURE)}}, 400, "The file is no film: it is a picture"),
        ({"type": "video_url", "video_url": {"url": "http://127.0.0.1/x.mp4"}}, 400, "This server fetches no URLs."),
        ({"type": "video_url", "video_url": {}}, 400, "video_url.url"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, 400, "takes no sounds"),
    ],
)
def test_what_is_no_picture_is_a_mistake_of_the_request(
    real: ServerProcess, llava: str, part: dict[str, Any], status: int, why: str
) -> None:
    answer = httpx.post(f"{real.url}/v1/chat/completions", json=ask(llava, said("See?"), part), timeout=BOUND)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert why in error["message"], error
    assert error["param"].startswith("messages"), error


def test_a_model_of_texts_given_a_picture_says_so(real: ServerProcess, llama: Path) -> None:
    for _ in range(2):  # by the host, and by the server where the model is known
        answer = httpx.post(f"{real.url}/v1/chat/completions", json=ask(str(llama), shown(PICTURE)), timeout=BOUND)
        assert answer.status_code == 400, answer.text
        error = answer.json()["error"]
        assert error["code"] == "unsupported_content"
        assert error["message"].startswith("This model takes texts alone.")
    film_url = {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}
    answer = httpx.post(f"{real.url}/v1/chat/completions", json=ask(str(llama), film_url), timeout=BOUND)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_content")


def test_a_loaded_model_of_texts_is_not_asked_about_a_picture(shared: Running) -> None:
    body = {"model": "echo/model", "messages": [{"role": "user", "content": "hello"}]}
    assert shared.http.post("/v1/chat/completions", json=body).status_code == 200
    body["messages"] = [{"role": "user", "content": [shown(b"no picture at all")]}]
    answer = shared.http.post("/v1/chat/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_content")


def test_an_answer_holds_no_picture(shared: Running) -> None:
    body = {"model": "echo/model", "messages": [{"role": "assistant", "content": [shown(PICTURE)]}]}
    answer = shared.http.post("/v1/chat/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "messages[0].content")


def test_a_request_has_so_many_pictures_at_most(shared: Running) -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    body = {"model": "echo/model", "messages": [{"role": "user", "content": [part] * 129}]}
    answer = shared.http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400
    assert "at most 128 pictures" in answer.json()["error"]["message"]


def test_a_client_that_goes_away_leaves_neither_files_nor_an_answer(
    client: openai.OpenAI, real: ServerProcess, llava: str, data_folder: Path
) -> None:
    asked = ask(llava, shown(png(noise(9, 640, 480))), said("Go on."), max_tokens=700, logit_bias={"2": -100})
    stream = client.chat.completions.create(**asked, stream=True)
    next(iter(stream))
    stream.close()
    with pytest.raises(httpx.TimeoutException):  # while the picture is decoded, or is seen
        httpx.post(f"{real.url}/v1/chat/completions", json=asked, timeout=httpx.Timeout(BOUND, read=0.02))
    wait_until(lambda: running(real, llava) == 0, "nothing runs")
    wait_until(lambda: not left_in(data_folder / "spool"), "no file is left")


def running(server: ServerProcess, model: str) -> float:
    """How many answers of a model advance, as the metrics say."""
    lines = server.get("/metrics").text.splitlines()
    [line] = [line for line in lines if "num_requests_running{" in line and model in line]
    return float(line.split()[-1])
