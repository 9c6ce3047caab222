"""What the model is shown, and what its reader gets."""

from __future__ import annotations

from typing import Any

import llamafarm
import pytest
from llamafarm.errors import UpstreamError
from llamafarm.wire import CLASSIFY
from llamafarm_agents.guard.options import GuardOptions
from llamafarm_agents.guard.plugin import build, check
from llamafarm_kit.testing import ScriptedProvider, ScriptedReply

pytestmark = pytest.mark.anyio

ENTRY = llamafarm.ModelEntry(name="cow", provider="scripted", model="cow")
SORRY = "Let us talk of cows."


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Case:
    """One handler, and what came of its turn.

    judged: the score of the label `bad` for each text that a judge sees. beside: what an inner handler adds.
    """

    def __init__(self, *script: Any, before: Any = (), after: Any = (), judged: Any = None) -> None:
        self.model = ScriptedProvider(*script)
        self.handler = build(GuardOptions(before=list(before), after=list(after), refusal=SORRY))
        self.judged = judged
        self.trace: list[dict[str, Any]] = []
        self.asked: list[Any] = []
        self.beside: dict[str, Any] = {}

    async def reply(self, *messages: Any, **request: Any) -> llamafarm.Reply:
        turn = llamafarm.Turn(
            None, ENTRY, {"messages": list(messages), **request}, llamafarm.Call(ENTRY, "r"), ask_model=self._classify
        )
        self.trace = turn.trace.rows

        async def ask(turn: llamafarm.Turn) -> llamafarm.Reply:
            reply = await self.model.chat(turn.request, turn.call)
            return reply.after(self.beside) if self.beside else reply

        return await self.handler.run(turn, ask)

    async def said(self, text: str = "Hello.", **request: Any) -> Any:
        reply = await self.reply({"role": "user", "content": text}, **request)
        try:
            return (await reply.completion())["choices"][0]
        finally:
            await reply.aclose()

    async def _classify(self, operation: Any, request: Any, model: str | None) -> Any:
        assert (operation, model) == (CLASSIFY, "judge")
        self.asked.append(request["input"])
        rows = [{"index": 0, "label": "good", "probs": [1 - score, score], "labels": ["good", "bad"]}
                for score in map(self.judged, request["input"])]  # fmt: skip
        return {"data": rows}


JUDGE = {"check": "judge", "model": "judge", "labels": ["bad"], "threshold": 0.7}


async def test_without_checks_the_reply_passes_as_it_is():
    case = Case("Moo.")
    assert await case.reply({"role": "user", "content": "Hi"}) is case.model.replies[0]


async def test_the_model_sees_no_more_than_it_may():
    case = Case("Moo.", before=[{"check": "emails"}])
    parts = [{"type": "text", "text": "and c@d.org"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    await (
        await case.reply(
            {"role": "system", "content": "Answer to boss@x.org."},
            {"role": "user", "content": "I am a@b.org"},
            {"role": "user", "content": parts},
        )
    ).completion()
    system, first, second = case.model.requests[0]["messages"]
    assert system["content"] == "Answer to boss@x.org.", "what the project says is its own"
    assert first["content"] == "I am [e-mail]"
    assert second["content"] == [{"type": "text", "text": "and [e-mail]"}, parts[1]]
    assert [(row["where"], row["check"], row["times"]) for row in case.trace] == [("before", "emails", 1)] * 2


@pytest.mark.parametrize(
    "check", [{"check": "length", "most": 5}, {"check": "patterns", "patterns": ["pigs"], "action": "refuse"}]
)
async def test_what_may_not_be_asked_is_not_asked(check):
    case = Case("Moo.", before=[check])
    choice = await case.said("Tell me of pigs.")
    assert choice["message"]["content"] == SORRY
    assert choice["finish_reason"] == "content_filter"
    assert case.model.requests == []
    assert [(row["check"], row["action"]) for row in case.trace] == [(check["check"], "refuse")]


async def test_what_the_model_may_not_say_is_redacted_in_all_its_texts():
    answer = {"role": "assistant", "content": "Ask ada@b.org.", "reasoning_content": "I know ada@b.org"}
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "cow"}
    chunks = [{**head, "choices": [{"index": 0, "delta": answer, "finish_reason": None}]},
              {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]  # fmt: skip
    case = Case(ScriptedReply(chunks=chunks), after=[{"check": "emails"}])
    message = (await case.said())["message"]
    assert message["content"] == "Ask [e-mail]."
    assert message["reasoning_content"] == "I know [e-mail]"


async def test_a_stream_goes_on_while_nothing_is_found():
    case = Case("A cow says moo to ada@b.org today.", after=[{"check": "emails"}])
    reply = await case.reply({"role": "user", "content": "Hi"}, stream=True)
    pieces = [c["choices"][0]["delta"].get("content") or "" async for c in reply.chunks() if c["choices"]]
    assert "".join(pieces) == "A cow says moo to [e-mail] today."
    assert len([piece for piece in pieces if piece]) > 3
    assert not any("ada" in piece for piece in pieces)


async def test_a_stream_that_is_refused_ends_there_and_its_upstream_is_closed():
    case = Case(
        "A cow says pigs are fine, she says.", after=[{"check": "patterns", "patterns": ["pigs"], "action": "refuse"}]
    )
    reply = await case.reply({"role": "user", "content": "Hi"}, stream=True)
    chunks = [chunk async for chunk in reply.chunks()]
    await reply.aclose()
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert text.startswith("A cow says ")
    assert text.endswith(SORRY)
    assert "pigs" not in text
    assert chunks[-1]["choices"][0]["finish_reason"] == "content_filter"
    assert case.model.replies[0].closed
    assert [(row["where"], row["check"], row["action"]) for row in case.trace] == [("after", "patterns", "refuse")]


async def test_one_of_several_choices_is_refused_and_the_others_go_on():
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "cow"}
    chunks = [{**head, "choices": [{"index": at, "delta": {"content": text}, "finish_reason": None}]}
              for at, text in ((0, "pigs! "), (1, "cows "), (0, "more"), (1, "moo"))]  # fmt: skip
    chunks += [{**head, "choices": [{"index": at, "delta": {}, "finish_reason": "stop"}]} for at in (0, 1)]
    case = Case(ScriptedReply(chunks=chunks), after=[{"check": "patterns", "patterns": ["pigs"], "action": "refuse"}])
    reply = await case.reply({"role": "user", "content": "Hi"}, n=2)
    first, second = (await reply.completion())["choices"]
    assert (first["message"]["content"], first["finish_reason"]) == (SORRY, "content_filter")
    assert (second["message"]["content"], second["finish_reason"]) == ("cows moo", "stop")


class TestWhatHandlersSayBesideAnAnswer:
    """An object that was read out of a text is no way around its checks."""

    TEXT = '{"to": "ada\\u0040b.org", "code": 4711}'
    OBJECT = {"object": {"to": "ada@b.org", "code": 4711, "c@d.org": [True, None, "moo"]}}

    async def fields(self, *checks: Any, stream: bool, text: str = TEXT, judged: Any = None) -> Any:
        case = Case(lambda _: text, after=list(checks), judged=judged)
        case.beside = {"llamafarm": self.OBJECT}
        reply = await case.reply({"role": "user", "content": "Hi"}, stream=stream)
        if not stream:
            return (await reply.completion()).get("llamafarm")
        said = [chunk["llamafarm"] async for chunk in reply.chunks() if "llamafarm" in chunk]
        return said[0] if said else None

    @pytest.mark.parametrize("stream", [False, True])
    async def test_its_texts_and_numbers_are_redacted_too(self, stream):
        checks = [{"check": "emails"}, {"check": "patterns", "patterns": ["47"], "replacement": "xx"}]
        assert await self.fields(*checks, stream=stream) == {
            "object": {"to": "[e-mail]", "code": "xx11", "[e-mail]": [True, None, "moo"]}
        }

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize("text", [TEXT, "Ask ada@b.org"])
    async def test_where_it_or_the_answer_is_refused_it_is_left_out(self, stream, text):
        assert await self.fields({"check": "emails", "action": "refuse"}, stream=stream, text=text) is None

    @pytest.mark.parametrize("stream", [False, True])
    async def test_so_it_is_where_a_judge_refuses(self, stream):
        assert await self.fields(JUDGE, stream=stream, judged=lambda _: 0.9) is None
        assert await self.fields(JUDGE, stream=stream, judged=lambda _: 0.1) == self.OBJECT


@pytest.mark.parametrize(
    ("action", "told"), [("redact", 'Attempt 1: "[e-mail]" is not a date'), ("refuse", SORRY)]
)  # fmt: skip
async def test_an_error_that_quotes_the_answer_tells_no_more_of_it(action, told):
    """`structured` says what was wrong with each attempt."""
    failure = UpstreamError('Attempt 1: "ada@b.org" is not a date')
    with pytest.raises(UpstreamError) as caught:
        await Case(failure, after=[{"check": "emails", "action": action}]).said()
    assert caught.value.message == told

    broken = ScriptedReply("moo", error=UpstreamError('Attempt 1: "ada@b.org" is not a date'))
    reply = await Case(broken, after=[{"check": "emails", "action": action}]).reply(
        {"role": "user", "content": "Hi"}, stream=True
    )
    with pytest.raises(UpstreamError) as caught:
        _ = [chunk async for chunk in reply.chunks()]
    assert caught.value.message == told


class TestJudges:
    async def test_what_a_judge_refuses_is_not_asked(self):
        case = Case("Moo.", before=[JUDGE], judged=lambda text: 0.9 if "pigs" in text else 0.1)
        assert (await case.said("Tell me of pigs."))["message"]["content"] == SORRY
        assert case.model.requests == []
        assert (await case.said("Tell me of cows."))["message"]["content"] == "Moo."

    @pytest.mark.parametrize("stream", [False, True])
    async def test_an_answer_is_held_back_until_the_judge_has_seen_it_whole(self, stream):
        case = Case("All about pigs.", after=[JUDGE], judged=lambda text: 0.9 if "pigs" in text else 0.1)
        reply = await case.reply({"role": "user", "content": "Hi"}, stream=stream)
        assert (await reply.completion())["choices"][0]["message"]["content"] == SORRY
        assert case.asked == [["All about pigs."]]
        assert case.model.replies[0].closed

    async def test_what_a_judge_flags_stands_in_the_trace(self):
        case = Case("Moo.", before=[{**JUDGE, "action": "flag"}], judged=lambda _: 0.8)
        assert (await case.said())["message"]["content"] == "Moo."
        [note] = case.trace
        assert (note["action"], note["label"], note["score"]) == ("flag", "bad", 0.8)


async def test_what_it_says_itself_is_an_answer_that_clients_read():
    case = Case("Moo.", before=[{"check": "length", "most": 1}])
    reply = await case.reply({"role": "user", "content": "Hello"}, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in reply.chunks()]
    assert chunks[-1]["usage"]["total_tokens"] == 0


class Chatty(llamafarm.ModelEntry):
    """A model that is known to do nothing but chat."""

    def serves(self, operation: Any) -> bool:
        return operation is not CLASSIFY


def test_a_judge_that_is_no_model_of_the_project_or_classifies_nothing_is_told_before_anybody_asks():
    talks = Chatty(name="talks", provider="scripted", model="cow")
    judge = llamafarm.ModelEntry(name="judge", provider="scripted", model="wolf")
    project = llamafarm.Project("farm", "default", None, (ENTRY, judge, talks))

    def lacks(*judges: str) -> list[str]:
        checks = [{**JUDGE, "model": name} for name in judges]
        return [*check(GuardOptions(before=checks, after=checks), project, ENTRY)]

    assert lacks("judge") == []
    assert lacks("jugde", "talks") == [
        "There is no model 'jugde' in default/farm. Did you mean judge? Models: cow, judge, talks.",
        "the model 'talks' (cow) cannot do classify",
    ]
