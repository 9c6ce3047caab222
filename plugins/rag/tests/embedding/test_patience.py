"""What is asked again, how often, and after which waits."""

from __future__ import annotations

import pytest
from llamafarm.errors import (
    AuthenticationFailed,
    ConnectionBroken,
    ConnectionFailed,
    ContextLengthExceeded,
    InvalidRequest,
    ModelNotFound,
    ProviderUnavailable,
    RateLimited,
    UpstreamError,
)
from llamafarm_rag.embedding.patience import patiently

pytestmark = pytest.mark.anyio


class Runtime:
    """Fails as its script says, then answers. waits: what was waited between two tries."""

    def __init__(self, *script):
        self.script = list(script)
        self.tries = 0
        self.waits = []

    async def ask(self):
        self.tries += 1
        if self.script:
            raise self.script.pop(0)
        return "vectors"

    async def wait(self, seconds):
        self.waits.append(seconds)

    async def patiently(self, seconds=120.0):
        return await patiently(self.ask, seconds, self.wait)


async def test_a_runtime_is_given_the_time_that_it_asks_for():
    runtime = Runtime(RateLimited("later", retry_after=30), ProviderUnavailable("loading", retry_after=2))
    assert await runtime.patiently() == "vectors"
    assert runtime.waits == [30, 2]


async def test_where_it_does_not_say_the_waits_grow():
    runtime = Runtime(*(ConnectionFailed("down") for _ in range(7)))
    assert await runtime.patiently() == "vectors"
    assert runtime.waits == [0.5, 1, 2, 4, 8, 8, 8]


async def test_all_waits_together_are_bounded():
    runtime = Runtime(*(ConnectionFailed("down") for _ in range(99)))
    with pytest.raises(ConnectionFailed):
        await runtime.patiently(10)
    assert runtime.waits == [0.5, 1, 2, 4]
    with pytest.raises(RateLimited):
        await Runtime(RateLimited("tomorrow", retry_after=86_400)).patiently()


async def test_a_runtime_that_broke_off_is_asked_some_times():
    assert await Runtime(ConnectionBroken("gone"), UpstreamError("oops", status=500)).patiently() == "vectors"
    runtime = Runtime(*(UpstreamError("oops") for _ in range(9)))
    with pytest.raises(UpstreamError):
        await runtime.patiently()
    assert runtime.tries == 3


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationFailed("no"),
        ModelNotFound("no"),
        InvalidRequest("no"),
        ContextLengthExceeded("no"),
        UpstreamError("no such address", status=404),
        RateLimited("no money", code="insufficient_quota", retry_after=1),
        ValueError("no error of a runtime"),
    ],
)
async def test_what_waiting_does_not_mend_is_raised_at_once(error):
    runtime = Runtime(error)
    with pytest.raises(type(error)):
        await runtime.patiently()
    assert (runtime.tries, runtime.waits) == (1, [])
