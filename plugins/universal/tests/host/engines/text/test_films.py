"""Chats about films: each answer is the one about the pictures of the film, as transformers itself gives it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import films
import pytest
from llamafarm_universal.engine import Blob, RequestFailed
from llamafarm_universal.messages import Generate
from multimodal_chats import PICTURE, Seeing, text, user
from pictures import blob_of, noise

FILM = {"type": "video"}
WALK = films.film(tuple(number / 4 for number in range(16)), size=(48, 32), level=15)
SHOWN = films.frames_of(WALK)[1::2]
"""Of sixteen pictures the eight in the middle of its parts."""


@pytest.mark.parametrize("kind", ["llava", "qwen2_vl", "qwen3_vl", "mllama", "gemma3", "idefics3"])
def test_an_answer_about_a_film_is_the_one_about_its_pictures(kind: str, seeing: Callable[[str], Seeing]) -> None:
    model, picture = seeing(kind), noise(1, 60, 40)
    shown = [{"type": "image", "image": image} for image in (*SHOWN, picture)]
    expected = model.expected(model.inputs([user(text("Before"), *shown[:-1], text("and after?"), shown[-1])]))
    asked = user(text("Before"), FILM, text("and after?"), PICTURE)
    media = (films.blob_of(WALK), blob_of(picture))
    beside = model.start({"role": "user", "content": "hello world"})
    assert model.tokens(asked, media=media) == expected
    assert model.driven.tokens[beside, 0]
    decoded = 8 * 48 * 32 * 3
    assert all(file.stat().st_size < decoded for file in model.spool.path.iterdir()), "what was decoded is gone"


def test_its_pictures_are_counted_and_found_again(seeing: Callable[[str], Seeing]) -> None:
    model, film = seeing("llava"), films.blob_of(films.film(level=12))
    first = model.start(user(FILM, text("One?")), media=(film,))
    model.driven.run()
    second = model.start(user(FILM, text("And two?")), media=(film,))
    model.driven.run()
    one, two = (model.driven.told[request_id][-1].usage for request_id in (first, second))
    assert one.prompt_tokens > 8 * 16
    assert one.cached_tokens < 16
    assert two.cached_tokens >= 8 * 16


@pytest.mark.parametrize(
    ("kind", "parts", "why"),
    [
        ("blip2", [FILM], "it looks at a single picture"),
        ("qwen2_audio", [FILM], "This model takes no films."),
        ("llava", [FILM] * 17, "Films are read as 8 pictures each, and a request has 128 pictures at most."),
        ("llava", [FILM, *[PICTURE] * 121], "a request has 128 pictures at most"),
    ],
)
def test_a_film_that_a_model_cannot_see_is_refused_before_it_is_decoded(
    kind: str, parts: list[Any], why: str, seeing: Callable[[str], Seeing]
) -> None:
    model = seeing(kind)
    prompt = model.chat(user(*parts, text("What?")), media=(films.blob_of(b"no film"),) * len(parts))
    with pytest.raises(RequestFailed) as failed:
        model.driven.engine.prepare(Generate(prompt))
    assert why in failed.value.message
    assert failed.value.param == "messages"


def test_what_is_wrong_with_a_film_names_it(seeing: Callable[[str], Seeing]) -> None:
    model = seeing("llava")
    broken: tuple[Blob, ...] = (films.blob_of(WALK), films.blob_of(WALK[: len(WALK) // 2]))
    with pytest.raises(RequestFailed, match="Film 2: The film is broken, or breaks off"):
        model.driven.engine.prepare(Generate(model.chat(user(FILM, FILM, text("What?")), media=broken)))
