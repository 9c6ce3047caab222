"""Contract tests of agent handlers: what becomes of a turn, and of the replies that are asked for on its way."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import pytest
from llamafarm.errors import LlamaFarmError, ProviderError, UpstreamError
from llamafarm.providers.parameters import IGNORED_HEADER
from llamafarm.wire import sse

from llamafarm_kit.testing.bench import Bench, Way, left_as_it_was, odd_frames, odd_reply, read, whole
from llamafarm_kit.testing.handler_case import HandlerCase
from llamafarm_kit.testing.scripted import ScriptedReply, Step

TURNS_AT_ONCE = 8


def kinds_of_error(kind: type[ProviderError] = ProviderError) -> Iterator[type[ProviderError]]:
    """Every error that a provider may raise."""
    yield kind
    for narrower in kind.__subclasses__():
        yield from kinds_of_error(narrower)


each_way = pytest.mark.parametrize("way", ["frames", "chunks", "completion"])


class HandlerTurns(HandlerCase):
    """One turn after the other, and several at once."""

    async def test_what_it_does_not_change_is_passed_on_byte_for_byte(self, bench: Bench) -> None:
        """The very bytes, also those that no encoder would write again; `changes` says why a handler never does so."""
        odd = bench.model(lambda request: odd_reply(self.answer(request)))
        said = await bench.said(odd, "frames")
        text = self.answer(odd.provider.requests[-1])
        untouched = said == b"".join(odd_frames(text))
        assert untouched or self.changes, f"sent {odd_frames(text)}\npassed on {said!r}"
        assert not (untouched and self.changes), "it passes this answer on as it is, so `changes` is not true"

    async def test_a_whole_answer_keeps_what_it_does_not_change(self, bench: Bench) -> None:
        """Its id, its model, and the fields that nobody defined."""
        model = bench.model(lambda request: odd_reply(self.answer(request)))
        said = await bench.said(model, "completion")
        assert {key: said.get(key) for key in ("id", "model", "own")} == {
            "id": "odd-1",
            "model": "scripted",
            "own": {"b": 1, "a": 2},
        }

    async def test_streamed_and_whole_answers_agree(self, bench: Bench) -> None:
        """Frames, chunks and the whole answer say the same, and end alike."""
        said = {way: whole(await bench.said(bench.model(), way), way) for way in ("frames", "chunks", "completion")}
        assert said["frames"] == said["chunks"] == said["completion"]

    async def test_a_stream_ends_with_one_done(self, bench: Bench) -> None:
        """`data: [DONE]` comes once, as the last thing."""
        said: bytes = await bench.said(bench.model(), "frames")
        assert (said.count(sse.DONE), said.endswith(sse.DONE)) == (1, True), said

    @each_way
    async def test_an_answer_of_the_model_is_read_once(self, bench: Bench, way: Way) -> None:
        """A real answer is gone when it has been read."""
        model = bench.model()
        await bench.said(model, way)
        assert [reply.reads for reply in model.provider.replies if reply.reads > 1] == []

    async def test_headers_for_the_client_are_passed_on(self, bench: Bench) -> None:
        """Such as `X-LF-Ignored`, which names what had no effect."""
        model = bench.model(lambda request: _with_header(ScriptedReply(self.answer(request))))
        reply = await bench.run(model)
        try:
            assert reply.headers.get(IGNORED_HEADER) == "user"
        finally:
            await reply.aclose()

    async def test_the_turn_is_left_as_it_was(self, bench: Bench) -> None:
        """The request, its messages, the fields and the project belong to others as well."""
        model = bench.model()
        turn = bench.turn(model)
        before = copy.deepcopy(turn.request), copy.deepcopy(turn.fields), asdict(turn.project)
        await bench.said(model, "frames", turn=turn)
        assert (turn.request, turn.fields, asdict(turn.project)) == before

    async def test_what_it_asks_keeps_the_request_id_and_the_deadline(self, bench: Bench) -> None:
        """Whatever it asks in between belongs to the same request, and the caller waits no longer for it."""
        model = bench.model()
        turn = bench.turn(model)
        await bench.said(model, "frames", turn=turn)
        late = turn.call.deadline or 0
        found = [
            (call.request_id, call.deadline is not None and call.deadline <= late) for call in model.provider.calls
        ]
        assert found == [("request-1", True)] * len(found)

    @pytest.mark.parametrize("way", ["frames", "chunks", "completion", "unread"])
    async def test_closing_its_reply_closes_all_that_it_asked_for(self, bench: Bench, way: Any) -> None:
        """However much of it has been read; closing twice does nothing."""
        model = bench.model()
        reply = await bench.run(model, stream=way != "completion")
        if way != "unread":
            await bench.soon(read(reply, way))
        await bench.soon(reply.aclose())
        await bench.soon(reply.aclose())
        model.check_closed()

    async def test_a_reader_that_goes_away_leaves_nothing_open(self, bench: Bench) -> None:
        """In the middle of each answer that it asks the model for."""
        for number in range(await bench.asks()):
            gate = threading.Event()
            held = _held(self.answer, gate)
            try:
                await left_as_it_was(bench, bench.model(*[self.answer] * number, held))
            finally:
                gate.set()

    async def test_being_cancelled_while_the_model_is_silent_leaves_nothing_open(self, bench: Bench) -> None:
        """The cancellation goes on, and what was asked before is closed; also where the reply asks while it is read."""
        for number in range(await bench.asks()):
            model = bench.model(blocked=number)
            task = asyncio.create_task(bench.said(model, "frames"))
            await bench.until(lambda model=model, task=task: task.done() or model.stuck)  # type: ignore[misc]
            task.cancel()
            await bench.soon(asyncio.wait([task]))
            assert task.cancelled(), "it goes on although its turn was cancelled"
            model.check_closed()

    @pytest.mark.parametrize("kind", [*kinds_of_error()], ids=lambda kind: kind.__name__)
    async def test_a_providers_error_reaches_the_caller_unchanged(
        self, bench: Bench, kind: type[ProviderError]
    ) -> None:
        """The very error, with everything that the runtime said."""
        error = kind("Said by the runtime.", provider="scripted", hint="Try again.", param="n", retry_after=7)
        before = dict(vars(error))
        with pytest.raises(ProviderError) as raised:
            await bench.said(bench.model(error), "frames")
        assert raised.value is error
        assert vars(error) == before

    async def test_an_error_in_the_middle_of_an_answer_reaches_the_reader(self, bench: Bench) -> None:
        """An answer that breaks off is never passed off as a whole one."""
        error = UpstreamError("The connection broke.", provider="scripted")
        with pytest.raises(UpstreamError) as raised:
            await bench.said(bench.model(lambda request: ScriptedReply(self.answer(request), error=error)), "frames")
        assert raised.value is error

    async def test_whatever_fails_leaves_nothing_open(self, bench: Bench) -> None:
        """A refusal, and an answer that breaks off, of each thing that it asks the model for."""
        error = UpstreamError("The connection broke.", provider="scripted")
        for number in range(await bench.asks()):
            for failure in (error, lambda request: ScriptedReply(self.answer(request), error=error)):
                model = bench.model(*[self.answer] * number, failure)
                try:
                    await bench.said(model, "frames")
                except LlamaFarmError:
                    pass  # whether it fails as a whole is not asked here
                model.check_closed()

    async def test_several_turns_at_once_do_not_mix(self, bench: Bench) -> None:
        """Each gets the answer that it gets alone; one handler serves all turns of a model entry."""
        questions = [f"{self.question} ({number})" for number in range(TURNS_AT_ONCE)]
        alone = [await self._answered(bench, question) for question in questions]
        together = await asyncio.gather(*(self._answered(bench, question) for question in questions))
        assert together == alone

    async def _answered(self, bench: Bench, question: str) -> Any:
        """The answer to a question, from a model that lets other turns go first."""
        model = bench.model()

        async def slowly(turn: Any) -> Any:
            await _give_way()
            reply = await model(turn)
            await _give_way()
            return reply

        reply = await bench.soon(bench.handler.run(bench.turn(model, question=question), slowly))
        try:
            await _give_way()
            return whole(await bench.soon(read(reply, "frames")), "frames")
        finally:
            await reply.aclose()


def _with_header(reply: ScriptedReply) -> ScriptedReply:
    reply.headers[IGNORED_HEADER] = "user"
    return reply


def _held(answer: Callable[[Mapping[str, Any]], str], gate: threading.Event) -> Step:
    """An answer whose first word comes at once, and the rest when the gate opens."""
    return lambda request: ScriptedReply(answer(request), gate=gate)


async def _give_way() -> None:
    """Let every other turn that can go on do so."""
    for _ in range(3 * TURNS_AT_ONCE):
        await asyncio.sleep(0)
