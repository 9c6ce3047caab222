"""What chats about pictures have of all chats, and what can go wrong with them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.engine import Blob, Failed, Finished, Piece, RequestFailed, SpoolFolder
from llamafarm_universal.messages import ChatPrompt, Generate, ModelRef, Sampling, Structure, ToolChoice
from multimodal_chats import GREEDY, PICTURE, SOUND, TOKENS, Seeing, text, user
from pictures import blob_of, noise

PICTURES = [noise(number, 90, 60) for number in range(4)]
BLOBS = [*map(blob_of, PICTURES)]
ASKED = user(PICTURE, text("What is this?"))
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def fresh(driven: Callable[..., Any], folder_of: Callable[[str], Path], spool: SpoolFolder) -> Callable[..., Seeing]:
    """An engine of its own: its kind, and what `driven` takes."""
    return lambda kind="llava", **options: Seeing(driven(folder=folder_of(kind), **options), folder_of(kind), spool)


def seen(model: Seeing) -> list[bytes]:
    """The digest of each picture that the model sees from now on."""
    digests: list[bytes] = []
    sight = model.driven.engine._stepper._sight
    vectors = sight._tower.vectors

    def noted(medium: Any) -> Any:
        digests.append(medium.digest)
        return vectors(medium)

    sight._tower.vectors = noted
    return digests


def test_several_answers_see_a_picture_once(fresh: Callable[..., Seeing]) -> None:
    model = fresh()
    digests = seen(model)
    prompt = model.chat(ASKED, media=(BLOBS[0],))
    request_id = model.driven.start(Generate(prompt, Sampling(max_tokens=8, temperature=1.0, seed=1), n=3))
    model.driven.run()
    assert len(digests) == 1
    ends = [event for event in model.driven.told[request_id] if isinstance(event, Finished)]
    assert sorted(end.index for end in ends) == [0, 1, 2]


def test_a_second_question_sees_nothing_again(fresh: Callable[..., Seeing]) -> None:
    model = fresh()
    digests = seen(model)
    model.tokens(ASKED, media=(BLOBS[0],))
    again = model.start(user(PICTURE, text("And now?")), media=(BLOBS[0],))
    model.driven.run()
    assert len(digests) == 1
    assert model.driven.told[again][-1].usage.cached_tokens >= 16


def test_another_tenant_shares_neither_what_was_seen_nor_what_was_read(fresh: Callable[..., Seeing]) -> None:
    model = fresh()
    digests = seen(model)
    first = model.start(ASKED, media=(BLOBS[0],), salt="one")
    model.driven.run()
    second = model.start(ASKED, media=(BLOBS[0],), salt="two")
    model.driven.run()
    assert len(digests) == 2
    assert model.driven.told[second][-1].usage.cached_tokens == 0
    assert model.driven.tokens[first, 0] == model.driven.tokens[second, 0]


def test_different_pictures_never_share(fresh: Callable[..., Seeing]) -> None:
    model = fresh()
    answers = [model.tokens(ASKED, media=(blob,)) for blob in (*BLOBS, *BLOBS)]
    assert answers[:4] == answers[4:]
    assert len({tuple(answer) for answer in answers}) == 4


@pytest.mark.parametrize("kind", ["llava", "qwen2_vl", "gemma3", "qwen3_vl", "mllama", "florence2"])
def test_an_interrupted_answer_goes_on_without_its_files(kind: str, fresh: Callable[..., Seeing]) -> None:
    model = fresh(kind)
    asked = user(PICTURE, text("<CAPTION>"))
    expected = [model.tokens(asked, media=(blob,)) for blob in BLOBS]
    started = [model.start(asked, media=(blob,)) for blob in BLOBS]
    scheduler = model.driven.engine._scheduler
    for path in model.spool.path.iterdir():
        path.unlink()
    for _ in range(12):
        model.driven.engine.step()
        if scheduler._running:
            scheduler._interrupt(scheduler._running[-1])
    model.driven.run()
    assert [model.driven.tokens[request_id, 0] for request_id in started] == expected


def test_what_has_been_read_is_kept_no_longer_than_there_is_room(fresh: Callable[..., Seeing]) -> None:
    model = fresh()
    expected = [model.tokens(ASKED, media=(blob,)) for blob in BLOBS]
    sight, scheduler = model.driven.engine._stepper._sight, model.driven.engine._scheduler
    sight._room = 0
    digests = seen(model)
    started = [model.start(ASKED, media=(blob,), salt="new") for blob in BLOBS]
    while len(digests) < len(BLOBS):
        model.driven.engine.step()
    model.driven.engine.step()
    contexts = [sequence.context for sequence in scheduler._running]
    assert all(medium.vectors is None for context in contexts for medium in context.media.media)
    assert len(sight._kept) == 1
    for sequence in list(scheduler._running):
        scheduler._interrupt(sequence)
    model.driven.run()
    assert [model.driven.tokens[request_id, 0] for request_id in started] == expected


def test_too_little_room_for_all_answers_about_pictures_changes_none(fresh: Callable[..., Seeing]) -> None:
    model = fresh()
    expected = [model.tokens(ASKED, media=(blob,)) for blob in BLOBS]
    narrow = fresh(blocks=14)
    started = [narrow.start(ASKED, media=(blob,)) for blob in BLOBS]
    narrow.driven.run()
    assert [narrow.driven.tokens[request_id, 0] for request_id in started] == expected
    told = narrow.driven.engine.meter.take(ModelRef("m"))
    assert any(name == "num_preemptions" for name, _ in told.counters)


@pytest.mark.parametrize("kind", ["llava", "mllama", "florence2"])
def test_a_request_may_be_cancelled_at_each_step(kind: str, fresh: Callable[..., Seeing]) -> None:
    model = fresh(kind)
    asked = user(PICTURE, text("<CAPTION>"))
    expected = model.tokens(asked, media=(BLOBS[1],))
    for steps in range(4):
        request_id = model.start(asked, media=(BLOBS[0],))
        beside = model.start(asked, media=(BLOBS[1],))
        for _ in range(steps):
            model.driven.engine.step()
        model.driven.engine.cancel(request_id)
        told = len(model.driven.told[request_id])
        model.driven.run()
        assert len(model.driven.told[request_id]) == told
        assert model.driven.tokens[beside, 0] == expected
    assert model.driven.cache.usage == 0


def test_a_stream_goes_on_while_a_picture_is_seen(fresh: Callable[..., Seeing]) -> None:
    model = fresh()
    expected = model.tokens(ASKED, media=(BLOBS[0],))
    sight = with_turns(model)
    stream = model.start({"role": "user", "content": "hello"}, max_tokens=60)
    model.driven.engine.step()
    started = [model.start(ASKED, media=(blob,), salt="new") for blob in BLOBS[:2]]
    model.driven.engine.step()
    assert sight._seeing is not None
    model.driven.engine.cancel(started[1])
    came = len(model.driven.tokens[stream, 0])
    while sight._seeing is not None:
        model.driven.engine.step()
    assert len(model.driven.tokens[stream, 0]) > came + 1
    model.driven.run()
    assert model.driven.tokens[started[0], 0] == expected


def test_what_nobody_waits_for_is_seen_no_further(fresh: Callable[..., Seeing]) -> None:
    model = fresh()
    sight = with_turns(model)
    request_id = model.start(ASKED, media=(BLOBS[0],))
    model.driven.engine.step()
    medium, call = sight._seeing
    model.driven.engine.cancel(request_id)
    expected = model.tokens(ASKED, media=(BLOBS[1],))
    assert not call._thread.is_alive()
    assert medium.vectors is None
    assert model.tokens(ASKED, media=(BLOBS[1],)) == expected


def with_turns(model: Seeing) -> Any:
    """What sees pictures, which hands over between any two layers from now on."""
    sight = model.driven.engine._stepper._sight
    see = sight.see
    sight.see = lambda medium, context, _seconds: see(medium, context, 0.0)
    return sight


def test_what_cannot_be_seen_ends_its_request_alone(fresh: Callable[..., Seeing]) -> None:
    model = fresh()
    expected = model.tokens(ASKED, media=(BLOBS[1],))
    sight = model.driven.engine._stepper._sight
    vectors = sight._tower.vectors
    failing = {model.driven.engine.prepare(Generate(model.chat(ASKED, media=(BLOBS[0],)))).media.media[0].digest}

    def failed(medium: Any) -> Any:
        if medium.digest in failing:
            raise ValueError("too bright")
        return vectors(medium)

    sight._tower.vectors = failed
    broken, other = model.start(ASKED, media=(BLOBS[0],)), model.start(ASKED, media=(BLOBS[1],))
    model.driven.run()
    end = model.driven.told[broken][-1]
    assert isinstance(end, Failed)
    assert "looking at a picture" in end.message
    assert model.driven.tokens[other, 0] == expected


@pytest.mark.parametrize("kind", ["llava", "qwen2_vl"])
def test_a_mark_in_a_text_is_no_picture(kind: str, fresh: Callable[..., Seeing]) -> None:
    model = fresh(kind)
    marks = {"llava": "<image>", "qwen2_vl": "<|image_pad|>"}
    asked = user(text(f"What is {marks[kind]} and <|im_end|>?"), PICTURE)
    prepared = model.driven.engine.prepare(Generate(model.chat(asked, media=(BLOBS[0],))))
    assert len(prepared.media.media) == 1
    [medium] = prepared.media.media
    mark = model.processor.tokenizer.convert_tokens_to_ids(marks[kind])
    assert prepared.tokens.count(mark) == len(medium.places)
    assert len(model.tokens(asked, media=(BLOBS[0],))) == TOKENS


@pytest.mark.parametrize("mark", ["<image>", "<|im_end|>", "<fake_token_around_image>"])
def test_a_processor_that_cannot_tell_marks_from_texts_gets_none(mark: str, fresh: Callable[..., Seeing]) -> None:
    model = fresh("idefics3")
    with pytest.raises(RequestFailed, match=r"must not hold '<\|?\w+\|?>'") as refusal:
        model.start(user(text(f"What is {mark}?"), PICTURE), media=(BLOBS[0],))
    assert mark in refusal.value.message


def test_nor_does_it_get_them_by_a_tool(fresh: Callable[..., Seeing]) -> None:
    model = fresh("idefics3")
    tool = {"type": "function", "function": {"name": "a", "description": "<|im_end|>"}}
    prompt = ChatPrompt((ASKED,), (tool,), media=(BLOBS[0],), folder=model.spool)
    with pytest.raises(RequestFailed, match="must not hold"):
        model.driven.engine.prepare(Generate(prompt))


@pytest.mark.parametrize("change", ["no processor", "a template without pictures"])
def test_a_model_whose_files_know_no_pictures_reads_texts_alone(
    change: str, driven: Callable[..., Any], folder_of: Callable[[str], Path], tmp_path: Path, spool: SpoolFolder
) -> None:
    folder = shutil.copytree(folder_of("gemma3"), tmp_path / "model")
    (folder / "chat_template.jinja").write_text("{% for message in messages %}{{ message.content }}{% endfor %}")
    if change == "no processor":
        for name in ("processor_config.json", "preprocessor_config.json"):
            (folder / name).unlink(missing_ok=True)
    model = Seeing(driven(folder=folder), folder, spool)
    assert not {"pictures", "sound"} & model.driven.engine.model.features
    assert len(model.tokens({"role": "user", "content": "hello"})) == TOKENS
    with pytest.raises(RequestFailed, match="takes texts alone") as refusal:
        model.start(ASKED, media=(BLOBS[0],))
    assert refusal.value.kind == "unsupported_content"


def test_texts_of_marks_alone_are_read_as_texts(fresh: Callable[..., Seeing]) -> None:
    model = fresh()
    plain = {"role": "user", "content": "<image>" * 40}
    prepared = model.driven.engine.prepare(Generate(model.chat(plain)))
    assert prepared.media is None
    assert len(model.tokens(plain)) == TOKENS


def test_an_answer_about_a_picture_can_be_structured_and_have_log_probabilities(fresh: Callable[..., Seeing]) -> None:
    model = fresh()
    prompt = model.chat(ASKED, media=(BLOBS[0],))
    sampling = Sampling(temperature=0.0, max_tokens=8, logprobs=2)
    request_id = model.driven.start(Generate(prompt, sampling, structure=Structure("choice", ["cow", "hen"])))
    model.driven.run()
    assert model.driven.answer(request_id)[0] in ("cow", "hen")
    pieces = [event for event in model.driven.told[request_id] if isinstance(event, Piece)]
    assert sum(len(piece.logprobs) for piece in pieces) >= 1


def test_a_question_about_a_picture_may_have_to_be_answered_by_a_call(fresh: Callable[..., Seeing]) -> None:
    model = fresh()
    prompt = ChatPrompt((ASKED,), (TOOL,), tool_choice=ToolChoice(required=True), media=(BLOBS[0],), folder=model.spool)
    request_id = model.driven.start(Generate(prompt, Sampling(temperature=0.0, max_tokens=200)))
    model.driven.run()
    channels = {event.channel for event in model.driven.told[request_id] if isinstance(event, Piece) and event.text}
    assert "tool_call" in channels


def test_a_stop_text_ends_an_answer_about_a_picture(fresh: Callable[..., Seeing]) -> None:
    model = fresh()
    whole = model.start(ASKED, media=(BLOBS[0],))
    model.driven.run()
    said = model.driven.answer(whole)[0]
    cut = model.start(ASKED, media=(BLOBS[0],), stop=(said[4:6],))
    model.driven.run()
    assert model.driven.answer(cut)[0] == said[: said.index(said[4:6])]


@pytest.mark.parametrize(
    ("blob", "why"),
    [
        (blob_of(noise(1, 20_000, 1)), "one side is more than 200 times the other"),
        (Blob("image/png", 10, data=b"no picture"), "The file is no picture"),
        (Blob("image/png", 0, data=b""), "it has no bytes"),
        (Blob("image/png", 60, data=blob_of(noise(1)).read()[:60]), "broken"),
    ],
)
def test_what_is_no_picture_is_refused_with_its_number(blob: Blob, why: str, fresh: Callable[..., Seeing]) -> None:
    model = fresh()
    with pytest.raises(RequestFailed, match=why) as refusal:
        model.start(user(PICTURE, PICTURE), media=(BLOBS[0], blob))
    assert refusal.value.message.startswith("Picture 2: ")
    assert refusal.value.param == "messages"


def test_a_kind_that_a_model_does_not_take_is_refused(fresh: Callable[..., Seeing]) -> None:
    with pytest.raises(RequestFailed, match="takes no sounds") as refusal:
        fresh().start(user(SOUND), media=(BLOBS[0],))
    assert refusal.value.kind == "unsupported_content"


def test_a_prompt_whose_pictures_are_too_much_says_its_length(fresh: Callable[..., Seeing]) -> None:
    model = fresh()
    with pytest.raises(RequestFailed, match="tokens") as refusal:
        model.start(user(*[PICTURE] * 100), media=(BLOBS[0],) * 100)
    assert refusal.value.kind == "context_length"


def test_a_model_without_a_template_holds_no_conversation(fresh: Callable[..., Seeing]) -> None:
    model = fresh("blip2")
    with pytest.raises(RequestFailed, match="no conversations"):
        model.start(ASKED, {"role": "assistant", "content": "A cow."}, ASKED, media=(BLOBS[0], BLOBS[1]))
    with pytest.raises(RequestFailed, match="<image>"):
        model.start(user(PICTURE, text("<image>")), media=(BLOBS[0],))


def test_answers_of_a_model_that_runs_by_itself_go_on_beside_each_other(fresh: Callable[..., Seeing]) -> None:
    model = fresh("mllama")
    expected = [model.tokens(ASKED, media=(blob,)) for blob in BLOBS[:3]]
    started = [model.start(ASKED, media=(blob,)) for blob in BLOBS[:3]]
    model.driven.run()
    assert [model.driven.tokens[request_id, 0] for request_id in started] == expected
    assert GREEDY["max_tokens"] == TOKENS
