"""One provider that keeps the contract, and for each contract test one that breaks it there and nowhere else.

Not collected by itself: test_provider_contract.py runs it and looks at what fails.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar

from llamafarm.errors import (
    ConnectionFailed,
    InvalidRequest,
    ModelNotFound,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    UpstreamError,
)
from llamafarm.http.content import read_content
from llamafarm.http.reply import read_reply
from llamafarm.http.upstream import HttpUpstream
from llamafarm.providers.base import Endpoint, Health, ModelInfo
from llamafarm.providers.content import Content
from llamafarm.providers.entry import ModelEntry, Timeouts
from llamafarm.providers.parameters import Parameters
from llamafarm.records import ProviderSpec
from llamafarm_kit.testing import OpenAIScenes, ProviderContract, provider_failures
from llamafarm_kit.testing.oddities import ODDITIES

provider_failures.SOON = 0.03  # the many classes here wait for silence many times


class PlainReply:
    """The reply as the provider got it: a place to break it."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.headers = inner.headers

    async def completion(self):
        return await self.inner.completion()

    async def chunks(self):
        async for chunk in self.inner.chunks():
            yield chunk

    async def frames(self):
        async for frame in self.inner.frames():
            yield frame

    async def aclose(self):
        await self.inner.aclose()


class Acme:
    """A provider that keeps the contract."""

    Reply: ClassVar[type] = PlainReply

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.upstream = HttpUpstream(endpoint)

    async def chat(self, request, call):
        return await self.ask("/chat/completions", request, call)

    async def complete(self, request, call):
        return await self.ask("/completions", request, call)

    async def embed(self, request, call):
        answer = await self.upstream.post_json("/embeddings", request, call)
        if any(None in row["embedding"] for row in answer["data"]):
            raise UpstreamError("The acme server answered with a vector that is none.", provider="acme")
        return answer

    async def ask(self, path, body, call):
        stream = bool(body.get("stream"))
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        answer = await self.upstream.open_stream(path, body, call, stream=stream)
        return self.Reply(await read_reply(self.upstream, answer, usage=usage))

    async def list_models(self):
        return [ModelInfo(item["id"]) for item in (await self.upstream.get_json("/models"))["data"]]

    async def describe(self, model):
        for item in (await self.upstream.get_json("/models"))["data"]:
            if item["id"] == model:
                return ModelInfo(model)
        raise ModelNotFound(f"There is no {model!r}.", provider="acme")

    async def health(self):
        try:
            await self.upstream.get_json("/models")
        except ProviderError as error:
            return Health(False, error.message)
        return Health(True)

    async def aclose(self):
        await self.upstream.aclose()


class AcmeMedia(Acme):
    """The same with pictures, sound and scores."""

    async def generate_image(self, request, call):
        return await self.content("/images/generations", request, call)

    async def edit_image(self, request, call):
        return await self.content("/images/edits", request, call, form=True)

    async def vary_image(self, request, call):
        return await self.content("/images/variations", request, call, form=True)

    async def transcribe(self, request, call):
        return await self.content("/audio/transcriptions", request, call, form=True)

    async def translate(self, request, call):
        return await self.content("/audio/translations", request, call, form=True)

    async def speak(self, request, call):
        return await self.content("/audio/speech", request, call)

    async def rerank(self, request, call):
        return await self.upstream.post_json("/rerank", request, call)

    async def score(self, request, call):
        return await self.upstream.post_json("/score", request, call)

    async def classify(self, request, call):
        return await self.upstream.post_json("/classify", request, call)

    async def find_entities(self, request, call):
        return await self.upstream.post_json("/ner", request, call)

    async def content(self, path, body, call, *, form=False):
        answer = await self.upstream.open_stream(path, body, call, form=form)
        return await read_content(self.upstream, answer)


class AcmeFiles(Acme):
    """The same where the runtime can fetch and delete models, and count tokens."""

    async def count_tokens(self, request, call):
        return (await self.upstream.post_json("/tokenize", request, call))["count"]

    async def count_text_tokens(self, texts, call):
        return (await self.upstream.post_json("/tokenize", {"texts": list(texts)}, call))["counts"]

    async def pull(self, call):
        await self.upstream.post_json("/pull", {"model": call.entry.model}, call)

    async def remove(self, call):
        await self.upstream.post_json("/delete", {"model": call.entry.model}, call)


class AcmeContract(ProviderContract):
    provider = "acme"
    scenes = OpenAIScenes()
    made: ClassVar[type] = Acme
    parameters: ClassVar[Parameters | None] = None

    @property
    def spec(self):
        return ProviderSpec(
            name="acme",
            summary="made for a test",
            entry=ModelEntry,
            endpoint=lambda entry: Endpoint("acme", entry.base_url, timeouts=entry.timeouts),
            connect=self.made,
            parameters=self.parameters,
        )


class TestAcme(AcmeContract):
    """Nothing is broken."""


class TestAcmeMedia(AcmeContract):
    """Nor here."""

    made = AcmeMedia


class TestAcmeFiles(AcmeContract):
    """Nor here."""

    made = AcmeFiles


class TestAcmeThatRefusesMuch(AcmeContract):
    """Nor here: what has no effect is named, and what cannot be done is refused."""

    parameters = Parameters(
        advisory=frozenset({"user", "metadata", "store"}),
        refused=frozenset({"tools", "tool_choice", "parallel_tool_calls", "n", "best_of", "logit_bias"}),
    )

    class made(Acme):  # noqa: N801 - an attribute of the contract
        async def ask(self, path, body, call):
            known = body.keys() - {"user", "metadata", "store", "tools", "n", "logit_bias"}
            return await super().ask(path, {name: body[name] for name in known}, call)


class TestAcmeThatOnlyEmbeds(AcmeContract):
    """Nor here: what it cannot do is not asked."""

    class made(Acme):  # noqa: N801 - an attribute of the contract
        chat = None
        complete = None


class TestReplacesATest(AcmeContract):
    def test_a_provider_may_be_closed_twice(self):
        """Without a reason."""


# Answers


class NoUsage(Acme):
    class Reply(PlainReply):
        async def completion(self):
            return {**await self.inner.completion(), "usage": None}


class NoEnd(Acme):
    class Reply(PlainReply):
        async def chunks(self):
            async for chunk in self.inner.chunks():
                if not chunk["choices"] or chunk["choices"][0]["finish_reason"] is None:
                    yield chunk


class ForgetsWhyItStopped(Acme):
    class Reply(PlainReply):
        async def completion(self):
            answer = await self.inner.completion()
            if type(self.inner).__name__ == "SseReply" and answer["choices"][0]["finish_reason"] == "stop":
                answer["choices"][0]["finish_reason"] = None
            return answer


class NoDone(Acme):
    class Reply(PlainReply):
        async def frames(self):
            async for frame in self.inner.frames():
                if b"[DONE]" not in frame:
                    yield frame


class NoUsageInStreams(Acme):
    class Reply(PlainReply):
        async def chunks(self):
            async for chunk in self.inner.chunks():
                if chunk["choices"]:
                    yield chunk


def renamed(old: str) -> type[PlainReply]:
    """A reply that tells one stop reason as `stop`."""

    class Renamed(PlainReply):
        async def completion(self):
            answer = await self.inner.completion()
            if answer["choices"][0]["finish_reason"] == old:
                answer["choices"][0]["finish_reason"] = "stop"
            return answer

    return Renamed


class CutIsStop(Acme):
    Reply = renamed("length")


class CallIsStop(Acme):
    Reply = renamed("tool_calls")


class OneVector(Acme):
    async def embed(self, request, call):
        answer = await super().embed(request, call)
        return {**answer, "data": answer["data"][:1]}


class OneModelForAll(Acme):
    async def ask(self, path, body, call):
        return await super().ask(path, {**body, "model": "default"}, call)


class OneRequestAtATime(Acme):
    async def ask(self, path, body, call):
        self.current = body
        await asyncio.sleep(0)
        return await super().ask(path, self.current, call)


class OneScore(AcmeMedia):
    async def score(self, request, call):
        answer = await super().score(request, call)
        return {**answer, "data": answer["data"][:1]}


class OneClass(AcmeMedia):
    async def classify(self, request, call):
        answer = await super().classify(request, call)
        return {**answer, "data": answer["data"][:1]}


class CountsFromOne(AcmeMedia):
    async def find_entities(self, request, call):
        answer = await super().find_entities(request, call)
        for row in answer["data"]:
            row["entities"] = [{**name, "start": name["start"] + 1} for name in row["entities"]]
        return answer


class WorstFirst(AcmeMedia):
    async def rerank(self, request, call):
        answer = await super().rerank(request, call)
        return {**answer, "results": answer["results"][::-1]}


class LosesPictures(AcmeMedia):
    async def edit_image(self, request, call):
        answer = await (await super().edit_image(request, call)).json()
        return Content.of_json({**answer, "data": []})


class HearsNothing(AcmeMedia):
    async def translate(self, request, call):
        await (await super().translate(request, call)).read()
        return Content.of_json({"text": ""})


class TellsNoMediaType(AcmeMedia):
    async def speak(self, request, call):
        content = await super().speak(request, call)
        content.media_type = "application/octet-stream"
        return content


# Odd runtimes


class EndsAtAnEmptyChunk(Acme):
    class Reply(PlainReply):
        async def chunks(self):
            async for chunk in self.inner.chunks():
                yield chunk
                if not chunk["choices"]:
                    return


class SendsEmptyEvents(Acme):
    class Reply(PlainReply):
        async def frames(self):
            yield b"data:\n\n"
            async for frame in self.inner.frames():
                yield frame


class TakesAnEmptyReasonForTheEnd(Acme):
    class Reply(PlainReply):
        async def frames(self):
            last = b""
            try:
                async for frame in self.inner.frames():
                    last = frame
                    yield frame
            except UpstreamError:
                if b'"finish_reason":""' not in last:
                    raise


class KeepsOneCall(Acme):
    class Reply(PlainReply):
        async def completion(self):
            answer = await self.inner.completion()
            message = answer["choices"][0].get("message") or {}
            if message.get("tool_calls"):
                message["tool_calls"] = message["tool_calls"][:1]
            return answer


class ForgetsItsThoughts(Acme):
    class Reply(PlainReply):
        async def completion(self):
            answer = await self.inner.completion()
            answer["choices"][0].get("message", {}).pop("reasoning", None)
            return answer


class FillsHoles(Acme):
    async def embed(self, request, call):
        answer = await self.upstream.post_json("/embeddings", request, call)
        for row in answer["data"]:
            row["embedding"] = [number or 0.0 for number in row["embedding"]]
        return answer


class BlamesTheClient(Acme):
    class Reply(PlainReply):
        async def completion(self):
            try:
                return await self.inner.completion()
            except UpstreamError as error:
                raise (InvalidRequest if "is not a JSON object" in error.message else type(error))(
                    error.message, provider="acme"
                ) from None


# Closing


class ClosesLater(Acme):
    class Reply(PlainReply):
        async def aclose(self):
            self.task = asyncio.create_task(self.inner.aclose())


class SpeaksOn(AcmeMedia):
    async def speak(self, request, call):
        content = await super().speak(request, call)

        async def close():
            self.task = asyncio.create_task(content.aclose())

        return Content(content.media_type, Unclosed(content.pieces()), close)


class Unclosed:
    """An iterator without `aclose`."""

    def __init__(self, inner):
        self.inner = inner

    def __aiter__(self):
        return self

    async def __anext__(self):
        return await anext(self.inner)


class GoesOn(Acme):
    task = None

    async def ask(self, path, body, call):
        self.task = asyncio.ensure_future(super().ask(path, body, call))
        return await asyncio.shield(self.task)

    async def aclose(self):
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])
        await super().aclose()


class ClosedOnce(Acme):
    class Reply(PlainReply):
        closed = False

        async def aclose(self):
            assert not self.closed
            self.closed = True
            await self.inner.aclose()


class ReadOrClosed(Acme):
    class Reply(PlainReply):
        read = False

        async def completion(self):
            answer = await self.inner.completion()
            self.read = True
            return answer

        async def aclose(self):
            assert not self.read
            await self.inner.aclose()


class EndsOnce(Acme):
    async def aclose(self):
        await super().aclose()
        del self.upstream


# Failures


class Translating:
    """Changes the error of a request."""

    async def ask(self, path, body, call):
        try:
            return await super().ask(path, body, call)
        except ProviderError as error:
            raise self.translated(error, call) from None


class ForbiddenIsAFault(Translating, Acme):
    def translated(self, error, call):
        return UpstreamError(error.message, provider="acme") if error.status == 403 else error


class OwnWords(Translating, Acme):
    def translated(self, error, call):
        said = f"acme (model {call.entry.model}) refused."
        return type(error)(said, provider="acme", retry_after=error.retry_after)


class ForgetsWhenToComeBack(Translating, Acme):
    def translated(self, error, call):
        error.retry_after = None
        return error


class NobodyIsAFault(Translating, Acme):
    def translated(self, error, call):
        return UpstreamError(error.message, provider="acme") if isinstance(error, ConnectionFailed) else error


class GarbageIsTheClients(Translating, Acme):
    def translated(self, error, call):
        return InvalidRequest(error.message, provider="acme") if "is not JSON" in error.message else error


class SilenceIsUnavailable(Translating, Acme):
    def translated(self, error, call):
        timeout = isinstance(error, ProviderTimeout) and call.deadline is None
        return ProviderUnavailable(error.message, provider="acme") if timeout else error


class Anonymous(Translating, Acme):
    def translated(self, error, call):
        error.provider = None
        return error


class NamesNoModel(Translating, Acme):
    def translated(self, error, call):
        error.message = error.message.replace(call.entry.model, "a model")
        return error


class ShowsItsInside(Translating, Acme):
    def translated(self, error, call):
        error.hint = "Caused by httpx.RemoteProtocolError."
        return error


class AcceptsEverything(Acme):
    class Late:
        headers: ClassVar[dict[str, str]] = {}

        def __init__(self, error):
            self.error = error

        async def completion(self):
            raise self.error

        async def aclose(self):
            """Nothing is open."""

    async def ask(self, path, body, call):
        try:
            return await super().ask(path, body, call)
        except ProviderError as error:
            if not body.get("stream"):
                raise
            return self.Late(error)


class HasTime(Acme):
    async def ask(self, path, body, call):
        return await super().ask(path, body, replace(call, deadline=None))


class TakesItForDone(AcmeFiles):
    async def remove(self, call):
        with suppress(UpstreamError):
            await super().remove(call)


class CountsNothing(AcmeFiles):
    async def count_tokens(self, request, call):
        try:
            return await super().count_tokens(request, call)
        except UpstreamError:
            return 0


class EstimatesTexts(AcmeFiles):
    async def count_text_tokens(self, texts, call):
        try:
            return await super().count_text_tokens(texts, call)
        except UpstreamError:
            return [len(text) // 4 for text in texts]


class FetchesForAsLongAsItTakes(AcmeFiles):
    async def pull(self, call):
        await super().pull(replace(call, deadline=None))


class FetchesOn(AcmeFiles):
    task = None

    async def pull(self, call):
        self.task = asyncio.ensure_future(super().pull(call))
        await asyncio.shield(self.task)

    async def aclose(self):
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])
        await super().aclose()


class Patient(Acme):
    def __init__(self, endpoint):
        patient = Timeouts(first_byte=endpoint.timeouts.first_byte, between_bytes=None)
        super().__init__(replace(endpoint, timeouts=patient))


class EndsEarly(Acme):
    class Reply(PlainReply):
        async def chunks(self):
            with suppress(UpstreamError):
                async for chunk in self.inner.chunks():
                    yield chunk

        async def frames(self):
            with suppress(UpstreamError):
                async for frame in self.inner.frames():
                    yield frame


class HalfASound(AcmeMedia):
    async def speak(self, request, call):
        content = await super().speak(request, call)

        async def pieces():
            with suppress(UpstreamError):
                async for piece in content.pieces():
                    yield piece

        return Content(content.media_type, pieces(), content.aclose)


# What it says of itself


class NeverWell(Acme):
    async def health(self):
        return Health(False, "It feels unwell.")


class HealthRaises(Acme):
    async def health(self):
        await self.upstream.get_json("/models")
        return Health(True)


class ListsNothing(Acme):
    async def list_models(self):
        return []


class DescribesAnother(Acme):
    async def describe(self, model):
        return ModelInfo((await super().describe(model)).id + "-latest")


class KnowsEveryModel(Acme):
    async def describe(self, model):
        return ModelInfo(model)


class Misspelt(Acme):
    async def embeddings(self, request, call):
        return await self.embed(request, call)


class ForgetsSeeds(Acme):
    async def ask(self, path, body, call):
        return await super().ask(path, {name: value for name, value in body.items() if name != "seed"}, call)


class ForgetsZeros(Acme):
    async def ask(self, path, body, call):
        return await super().ask(path, {name: value for name, value in body.items() if value != 0}, call)


EVEN = {scene: script for scene, script in OpenAIScenes().items() if scene not in ODDITIES}
KEEPS = (Acme, AcmeMedia, AcmeFiles)
for broken in [one for sound in KEEPS for one in sound.__subclasses__() if one not in KEEPS]:
    if broken.__module__ == __name__ and broken.__qualname__ == broken.__name__:
        parts = {"made": broken, "__module__": __name__}
        if broken in (HasTime, Patient, FetchesForAsLongAsItTakes):
            parts["bound"] = 5.0  # they hang where they are broken
        if broken in (NoEnd, NoDone, GarbageIsTheClients, EndsEarly):
            parts["scenes"] = EVEN  # what they do wrong, they do in odd streams too
        globals()[f"Test{broken.__name__}"] = type(f"Test{broken.__name__}", (AcmeContract,), parts)
