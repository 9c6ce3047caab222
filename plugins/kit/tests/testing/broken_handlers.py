"""Handlers that each break one promise and keep all others; test_handler_contract.py tries the contract on them."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from llamafarm.errors import PluginError, ProviderError, UpstreamError
from llamafarm.providers.base import Call
from llamafarm.records import AgentHandlerSpec
from llamafarm.wire import sse
from llamafarm_kit.testing.handler_contract import AgentHandlerContract
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

FILE = Path(__file__)


class Handler:
    """Passes everything on."""

    async def run(self, turn, ask):
        return await ask(turn)


class Wrapped:
    """A reply around another one that changes nothing."""

    def __init__(self, reply):
        self.reply = reply

    @property
    def headers(self):
        return self.reply.headers

    async def completion(self):
        return await self.reply.completion()

    async def chunks(self):
        async with aclosing(self.reply.chunks()) as chunks:
            async for chunk in chunks:
                yield chunk

    async def frames(self):
        async with aclosing(self.reply.frames()) as frames:
            async for frame in frames:
                yield frame

    async def aclose(self):
        await self.reply.aclose()


def wrapping(reply_type):
    class Wrapping:
        async def run(self, turn, ask):
            return reply_type(await ask(turn))

    return Wrapping


def changing(change):
    """A handler that changes the turn before it asks."""

    class Changing:
        async def run(self, turn, ask):
            return await ask(await change(turn))

    return Changing


class Broken(AgentHandlerContract):
    """The contract of a handler that is not installed."""

    build: Any = Handler
    options_model: Any = None
    request_fields: Any = {}

    @property
    def spec(self):
        return AgentHandlerSpec("broken", "made for a test", self._built, self.options_model, self.request_fields)

    def _built(self, _options):
        return type(self).build()


class TestSound(Broken):
    pass


class Lives(Handler):
    """Holds a file open, and reads it in a task, from its start to its end."""

    async def start(self):
        self.file = FILE.open()  # noqa: ASYNC230 - closed at the end of its life
        self.task = asyncio.create_task(asyncio.Event().wait())

    async def run(self, turn, ask):
        assert not self.file.closed
        return await ask(turn)

    async def aclose(self):
        self.file.close()
        self.task.cancel()
        await asyncio.wait([self.task])


class TestHasALife(Broken):
    build = Lives


class Encodes(Wrapped):
    async def frames(self):
        async for chunk in self.reply.chunks():
            yield sse.encode(chunk)
        yield sse.DONE


class TestEncodesTheFramesAgain(Broken):
    build = wrapping(Encodes)


class TestSaysThatItChangesWhatItDoesNot(Broken):
    changes = "it polishes"


class Renames(Wrapped):
    async def completion(self):
        return {**await self.reply.completion(), "id": "its-own"}


class TestGivesTheAnswerAnIdOfItsOwn(Broken):
    build = wrapping(Renames)


class Shouts(Wrapped):
    async def completion(self):
        answer = await self.reply.completion()
        message = answer["choices"][0]["message"]
        message["content"] = message["content"].upper()
        return answer


class TestChangesWholeAnswersOnly(Broken):
    build = wrapping(Shouts)


class EndsTwice(Wrapped):
    async def frames(self):
        async for frame in self.reply.frames():
            yield frame
        yield sse.DONE


class TestEndsTwice(Broken):
    build = wrapping(EndsTwice)
    changes = "the end of every stream"


class Peeks:
    async def run(self, turn, ask):
        reply = await ask(turn)
        try:
            _ = [chunk async for chunk in reply.chunks()]
        except BaseException:
            await reply.aclose()
            raise
        return reply


class TestReadsTheAnswerTwice(Broken):
    build = Peeks


class Headless(Wrapped):
    headers = {}


class TestLosesTheHeaders(Broken):
    build = wrapping(Headless)


async def change_the_request(turn):
    turn.request["messages"].insert(0, {"role": "system", "content": "Be kind."})
    return turn


class TestChangesTheRequestOfOthers(Broken):
    build = changing(change_the_request)


async def start_anew(turn):
    return replace(turn, call=Call(turn.entry, "request-2"))


class TestForgetsTheDeadline(Broken):
    build = changing(start_anew)


class ClosesWhatIsRead(Wrapped):
    async def completion(self):
        try:
            return await self.reply.completion()
        finally:
            await self.reply.aclose()

    async def chunks(self):
        async with aclosing(self.reply):
            async for chunk in self.reply.chunks():
                yield chunk

    async def frames(self):
        async with aclosing(self.reply):
            async for frame in self.reply.frames():
                yield frame

    async def aclose(self):
        pass


class TestDoesNotCloseWhatNobodyReads(Broken):
    build = wrapping(ClosesWhatIsRead)


class ClosesAtTheEnd(Wrapped):
    reading = False

    async def frames(self):
        self.reading = True
        try:
            async for frame in self.reply.frames():
                yield frame
            self.reading = False
        except Exception:
            self.reading = False
            raise

    async def aclose(self):
        if not self.reading:
            await self.reply.aclose()


class TestDoesNotCloseWhatIsBrokenOff(Broken):
    build = wrapping(ClosesAtTheEnd)


class Prefetches(Wrapped):
    """Reads in a task of its own, which it does not end."""

    task = None

    async def frames(self):
        queue = asyncio.Queue()

        async def fetch():
            try:
                async for frame in self.reply.frames():
                    queue.put_nowait(frame)
                queue.put_nowait(None)
            except Exception as error:  # noqa: BLE001 - given to the reader
                queue.put_nowait(error)

        self.task = asyncio.create_task(fetch())
        while (found := await queue.get()) is not None:
            if isinstance(found, Exception):
                raise found
            yield found


class TestLeavesATaskBehind(Broken):
    build = wrapping(Prefetches)


class Stubborn:
    async def run(self, turn, ask):
        try:
            return await ask(turn)
        except asyncio.CancelledError:
            raise PluginError("It was cancelled.") from None


class TestIsNotCancelled(Broken):
    build = Stubborn


class Rephrases:
    async def run(self, turn, ask):
        try:
            return await ask(turn)
        except ProviderError as error:
            raise UpstreamError(error.message) from error


class TestRephrasesErrors(Broken):
    build = Rephrases


class EndsWell(Wrapped):
    async def frames(self):
        try:
            async for frame in self.reply.frames():
                yield frame
        except UpstreamError:
            yield sse.DONE


class TestEndsWellWhateverHappens(Broken):
    build = wrapping(EndsWell)


class AsksTwice:
    """Forgets its first question where that fails."""

    async def run(self, turn, ask):
        first = await ask(turn)
        try:
            await first.completion()
        except asyncio.CancelledError:
            await first.aclose()
            raise
        await first.aclose()
        return await ask(turn)


class TestForgetsWhatHasFailed(Broken):
    build = AsksTwice


class Remembers:
    async def run(self, turn, ask):
        self.turn = turn
        await asyncio.sleep(0)
        return await ask(self.turn)


class TestMixesTurns(Broken):
    build = Remembers


class OpensAtOnce(Handler):
    def __init__(self):
        self.file = FILE.open()

    async def aclose(self):
        self.file.close()


class TestOpensWhenItIsBuilt(Broken):
    build = OpensAtOnce


forgotten = []


class ForgetsItsFile(Handler):
    async def start(self):
        forgotten.append(FILE.open())  # noqa: ASYNC230


class TestForgetsItsFile(Broken):
    build = ForgetsItsFile


class ForgetsItsTask(Handler):
    async def start(self):
        self.task = asyncio.create_task(asyncio.Event().wait())


class TestForgetsItsTask(Broken):
    build = ForgetsItsTask


class OpensInATurn(Handler):
    async def run(self, turn, ask):
        self.open = True
        return await ask(turn)

    async def aclose(self):
        assert self.open


class TestClosesWhatATurnHasOpened(Broken):
    build = OpensInATurn


class SharesItsFile(Handler):
    """All handlers have one file."""

    shared: Any = None

    async def start(self):
        if self.shared is None or self.shared.closed:
            SharesItsFile.shared = FILE.open()  # noqa: ASYNC230

    async def run(self, turn, ask):
        assert not self.shared.closed
        return await ask(turn)

    async def aclose(self):
        self.shared.close()


class TestSharesItsFile(Broken):
    build = SharesItsFile


async def take_notes(turn):
    if turn.session:
        await turn.session.append([{"role": "assistant", "content": "A note of its own."}])
    return turn


class TestKeepsNotesInTheSession(Broken):
    build = changing(take_notes)


async def mention_the_session(turn):
    if not turn.session:
        return turn
    return turn.with_messages([*turn.request["messages"], {"role": "user", "content": turn.session.id}])


class TestAnswersOtherwiseInASession(Broken):
    build = changing(mention_the_session)


async def forget_the_seed(turn):
    return replace(turn, request={name: value for name, value in turn.request.items() if name != "seed"})


class TestForgetsFieldsOfOthers(Broken):
    build = changing(forget_the_seed)


async def invent_a_field(turn):
    return replace(turn, request={**turn.request, "tone": "kind"})


class TestSendsAFieldOfItsOwn(Broken):
    build = changing(invent_a_field)


class TestTakesAnyValue(Broken):
    request_fields = {"tone": Any}


class TestTakesAFieldOfTheWire(Broken):
    request_fields = {"user": str}


class BadDefault(BaseModel):
    model_config = ConfigDict(extra="forbid")
    times: int = Field(default=0, ge=1)


class TestHasADefaultThatIsRefused(Broken):
    options_model = BadDefault


class Lax(BaseModel):
    times: int = 1


class Nested(BaseModel):
    model_config = ConfigDict(extra="forbid")
    lax: Lax = Field(default_factory=Lax)


class TestIgnoresUnknownOptions(Broken):
    options_model = Lax


class TestIgnoresUnknownOptionsFurtherDown(Broken):
    options_model = Nested


class BadSchema(BaseModel):
    model_config = ConfigDict(extra="forbid")
    tone: Annotated[str, WithJsonSchema({"type": "text"})] = "kind"


class TestHasABrokenSchema(Broken):
    options_model = BadSchema


class TestReplacesAContractTest(Broken):
    async def test_a_stream_ends_with_one_done(self):
        """Nothing."""
