"""Pictures in words: what the plain library writes, a token at a time."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from llamafarm_universal.engine import CaptionPictures, Finished, RequestFailed, SpoolFolder
from pictures import blob_of, noise
from vision_library import Library

IMAGES = [noise(number, 40, 30) for number in range(5)]
PICTURES = tuple(map(blob_of, IMAGES))


def written(library: Library, image: Any, tokenizer: Any, **texts: Any) -> str:
    with torch.no_grad():
        ids = library.model.generate(**library.pixels(image), **texts, max_new_tokens=6, do_sample=False)
    return str(tokenizer.decode(ids[0], skip_special_tokens=True)).strip()


@pytest.mark.parametrize("kind", ["blip", "git", "encoder-decoder"])
def test_a_caption_is_that_of_the_library(looking: Any, folder: SpoolFolder, word_tokenizer: Any, kind: str) -> None:
    model = looking(kind)
    library = Library(model.folder, "ImageTextToText")
    begin = {"input_ids": torch.tensor([[word_tokenizer.cls_token_id]])} if kind == "git" else {}
    [alone], found = model.values(
        CaptionPictures(PICTURES[:1], folder, max_tokens=6), CaptionPictures(PICTURES, folder, max_tokens=6)
    )
    wanted = [written(library, image, word_tokenizer, **begin) for image in IMAGES]
    assert (alone, list(found)) == (wanted[0], wanted)
    assert all(wanted)


@pytest.mark.parametrize("kind", ["blip", "git"])
def test_a_caption_may_begin_with_a_prompt(looking: Any, folder: SpoolFolder, word_tokenizer: Any, kind: str) -> None:
    model = looking(kind)
    library = Library(model.folder, "ImageTextToText")
    if kind == "blip":
        begin = transformers.BlipProcessor(library.processor, word_tokenizer)(text="the lazy", return_tensors="pt")
        asked = {name: begin[name] for name in ("input_ids", "attention_mask")}
    else:
        ids = word_tokenizer("the lazy", add_special_tokens=False)["input_ids"]
        asked = {"input_ids": torch.tensor([[word_tokenizer.cls_token_id, *ids]])}
    [[told], _] = model.values(
        CaptionPictures(PICTURES[:1], folder, "the lazy", 6), CaptionPictures(PICTURES[1:], folder, "hello", 4)
    )
    assert told == written(library, IMAGES[0], word_tokenizer, **asked)
    assert told.startswith("the lazy")


def test_each_step_is_a_token_and_nothing_is_written_for_nobody(looking: Any, folder: SpoolFolder) -> None:
    model = looking("blip")
    steps = 0
    events = model.start("whole", CaptionPictures(PICTURES[:1], folder, max_tokens=6))
    while model.engine.step():
        steps += 1
    assert steps >= 2
    assert isinstance(events[-1], Finished)
    left = model.start("left", CaptionPictures(PICTURES[:1], folder, max_tokens=6))
    model.engine.step()
    model.engine.cancel("left")
    assert not model.engine.step()
    assert not any(event.is_last for event in left)


def test_one_that_is_cancelled_takes_nothing_from_those_beside_it(looking: Any, folder: SpoolFolder) -> None:
    model = looking("blip")
    [wanted] = model.values(CaptionPictures(PICTURES[:1], folder, max_tokens=6))
    stays = model.start("stays", CaptionPictures(PICTURES[:1], folder, max_tokens=6))
    leaves = model.start("leaves", CaptionPictures(PICTURES[1:2], folder, max_tokens=6))
    model.engine.step()
    model.engine.cancel("leaves")
    while model.engine.step():
        pass
    assert stays[-1].value == wanted
    assert not any(event.is_last for event in leaves)


@pytest.mark.parametrize(
    ("kind", "prompt", "most", "param"), [("encoder-decoder", "hello", 6, "prompt"), ("blip", "", 100, "max_tokens")]
)
def test_what_a_model_cannot_write_is_refused(
    looking: Any, folder: SpoolFolder, kind: str, prompt: str, most: int, param: str
) -> None:
    with pytest.raises(RequestFailed) as refused:
        looking(kind).engine.prepare(CaptionPictures(PICTURES, folder, prompt, most))
    assert refused.value.param == param
