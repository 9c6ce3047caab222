"""The part of the provider contract that is about errors: each is of its own class, and for the person who reads it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import pytest
from llamafarm.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ContextLengthExceeded,
    InvalidRequest,
    LlamaFarmError,
    ModelNotFound,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    UpstreamError,
)
from llamafarm.wire import SPEECH

from llamafarm_kit.testing.provider_setup import Asking, ProviderSetup
from llamafarm_kit.testing.scenes import REFUSALS, Scene

SOON = 0.1
"""Seconds: a time limit that a runtime which says nothing is sure to miss."""

MEANING: Mapping[Scene, type[ProviderError]] = {
    Scene.UNAUTHORIZED: AuthenticationFailed,
    Scene.FORBIDDEN: AuthenticationFailed,
    Scene.MODEL_MISSING: ModelNotFound,
    Scene.INVALID: InvalidRequest,
    Scene.TOO_LONG: ContextLengthExceeded,
    Scene.BUSY: RateLimited,
    Scene.FAILED: UpstreamError,
    Scene.UNAVAILABLE: ProviderUnavailable,
    Scene.DOWN: ConnectionFailed,
    Scene.SILENT: ProviderTimeout,
    Scene.GARBAGE: UpstreamError,
    Scene.BROKEN: UpstreamError,
}
"""The error that each scene is."""

_FOR_PROGRAMMERS = re.compile(r"Traceback|\b[A-Z]\w*(?:Error|Exception|Timeout)\b|<class |object at 0x")

each_refusal = pytest.mark.parametrize("scene", REFUSALS, ids=str)
each_fault = pytest.mark.parametrize("scene", MEANING, ids=str)


class ProviderFailures(ProviderSetup):
    """Asked is the first operation of the provider; where it may stream, it is asked both ways."""

    @each_refusal
    async def test_a_refusal_is_its_own_error(self, scene: Scene) -> None:
        for error in await self._errors(scene):
            check_class(error, scene)

    @each_refusal
    async def test_the_runtimes_own_words_reach_the_reader(self, scene: Scene) -> None:
        for error in await self._errors(scene):
            assert self.words in error.message, f"the runtime said {self.words!r}: {error.message!r}"

    async def test_a_refusal_that_says_when_to_come_back_passes_it_on(self) -> None:
        for error in await self._errors(Scene.BUSY):
            after = getattr(error, "retry_after", None)
            assert after is not None and 20 < after <= 30, f"the runtime asks for 30 s, not {after}"

    async def test_a_reply_exists_only_after_the_runtime_has_accepted(self) -> None:
        async with self.asking(Scene.INVALID) as asking:
            for operation in asking.textual:
                with pytest.raises(LlamaFarmError):
                    await asking.ask(operation, stream=True)

    async def test_a_runtime_that_is_not_there_is_a_connection_that_failed(self) -> None:
        for error in await self._errors(Scene.DOWN):
            check_class(error, Scene.DOWN)

    async def test_an_answer_that_is_not_the_wires_is_the_runtimes_fault(self) -> None:
        for error in await self._errors(Scene.GARBAGE):
            check_class(error, Scene.GARBAGE)

    async def test_a_runtime_that_does_not_begin_to_answer_is_a_timeout(self) -> None:
        async with self.asking(Scene.SILENT, timeouts={"first_byte": SOON}) as asking:
            check_class(await asking.failure(asking.operations[0]), Scene.SILENT)

    async def test_the_deadline_of_a_call_is_kept(self) -> None:
        async with self.asking(Scene.SILENT) as asking:
            deadline = asyncio.get_running_loop().time() + SOON
            check_class(await asking.failure(asking.operations[0], deadline=deadline), Scene.SILENT)

    async def test_an_answer_that_stops_in_the_middle_is_a_timeout(self) -> None:
        async with self.asking(Scene.ENDLESS, timeouts={"between_bytes": SOON}) as asking:
            for operation in asking.textual[:1]:
                check_class(await asking.failure(operation, stream=True), Scene.SILENT)

    @pytest.mark.parametrize("read", ["chunks", "frames"])
    async def test_a_stream_that_breaks_off_is_never_taken_for_a_whole_one(self, read: str) -> None:
        async with self.asking(Scene.BROKEN) as asking:
            if asking.textual:
                check_class(await _error_of(asking, read), Scene.BROKEN)

    async def test_a_sound_that_breaks_off_is_never_taken_for_a_whole_one(self) -> None:
        async with self.asking(Scene.BROKEN) as asking:
            if SPEECH in asking.operations:
                check_class(await asking.failure(SPEECH), Scene.BROKEN)

    @each_fault
    async def test_an_error_is_for_the_person_who_reads_it(self, scene: Scene) -> None:
        for error in await self._errors(scene):
            found = _FOR_PROGRAMMERS.search(str(error))
            assert found is None, f"{found and found[0]!r} says nothing to a user: {error}"
            assert getattr(error, "provider", None) == self.provider, f"`provider` of the error is not set: {error!r}"
            if scene not in REFUSALS:  # there, the runtime's own words come as they are
                assert self.provider in str(error), f"it does not say that {self.provider!r} failed: {error}"
            if scene is Scene.SILENT:
                assert self.model in str(error), f"it does not say which model is slow: {error}"

    async def _errors(self, scene: Scene) -> list[LlamaFarmError]:
        """What the first operation ends with, whole and streamed."""
        limits = {"timeouts": {"first_byte": SOON}} if scene is Scene.SILENT else {}
        async with self.asking(scene, **limits) as asking:
            operation = asking.operations[0]
            ways: tuple[dict[str, bool], ...] = ({"stream": True},) if scene is Scene.BROKEN else ({}, {"stream": True})
            return [await asking.failure(operation, **way) for way in (ways if asking.textual else ({},))]


def check_class(error: LlamaFarmError, scene: Scene) -> None:
    """Raises AssertionError where a scene is told by an error of another class."""
    wanted = MEANING[scene]
    assert isinstance(error, wanted), f"{scene} is {wanted.__name__}, not {type(error).__name__}: {error}{_told(scene)}"
    reached = scene is not Scene.UNAVAILABLE or not isinstance(error, ConnectionFailed)
    assert reached, f"ConnectionFailed means that nothing was sent; {scene} is an answer: {error}"


def _told(scene: Scene) -> str:
    """What the author is told where a runtime's words decide, and not its status alone."""
    speaking = {Scene.MODEL_MISSING: "a model", Scene.TOO_LONG: "the context's length"}.get(scene)
    if speaking is None:
        return ""
    return f"\nerror_of knows it where code or words of the refusal speak of {speaking}: see `scenes` and `read_error`."


async def _error_of(asking: Asking, read: str) -> LlamaFarmError:
    """The error that a stream ends with, read as chunks or as frames."""
    seen = []
    try:
        reply = await asking.ask(asking.textual[0], stream=True)
        async for piece in getattr(reply, read)():
            seen.append(piece)  # noqa: PERF401 - what was seen before the error counts
    except LlamaFarmError as error:
        assert b"[DONE]" not in repr(seen).encode(), f"it says [DONE], and then breaks: {seen}"
        return error
    raise AssertionError(f"a stream that broke off was taken for a whole one: {seen}")
