"""Providers are made once for each endpoint."""

from __future__ import annotations

import pytest
from llamafarm.providers.base import Endpoint
from llamafarm.providers.entry import ModelEntry, Timeouts
from llamafarm.providers.pool import ProviderPool
from llamafarm.records import ProviderSpec

pytestmark = pytest.mark.anyio


class Client:
    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.closed = 0

    async def aclose(self) -> None:
        self.closed += 1


class BadClient(Client):
    async def aclose(self) -> None:
        raise RuntimeError("stuck")


def spec(client: type[Client] = Client) -> ProviderSpec:
    def endpoint(entry: ModelEntry) -> Endpoint:
        return Endpoint("acme", entry.base_url or "http://127.0.0.1:9", timeouts=entry.timeouts)

    return ProviderSpec("acme", "made for a test", ModelEntry, endpoint, client)


def entry(name: str, **more) -> ModelEntry:
    return ModelEntry(name=name, provider="acme", model=name, **more)


async def test_entries_of_one_endpoint_share_a_provider():
    pool = ProviderPool()
    assert pool.connect(spec(), entry("a")) is pool.connect(spec(), entry("b"))
    assert pool.connect(spec(), entry("c", base_url="http://127.0.0.1:10")) is not pool.connect(spec(), entry("a"))
    assert pool.connect(spec(), entry("d", timeouts=Timeouts(total=1))) is not pool.connect(spec(), entry("a"))


@pytest.mark.parametrize("bad", [BadClient, lambda endpoint: None], ids=["raises", "is no provider"])
async def test_closing_closes_each_of_them_once_and_tells_of_one_that_does_not_close(caplog, bad):
    pool = ProviderPool()
    pool.connect(spec(bad), entry("bad"))
    good = pool.connect(spec(), entry("good", base_url="http://127.0.0.1:10")).provider
    await pool.aclose()
    await pool.aclose()
    assert good.closed == 1
    assert [record.message.partition(": ")[0] for record in caplog.records] == ["The provider 'acme' did not close"]


async def test_what_nobody_uses_any_more_is_closed_and_the_rest_stays():
    pool = ProviderPool()
    old = pool.connect(spec(), entry("old"))
    kept = pool.connect(spec(), entry("kept", base_url="http://127.0.0.1:10"))
    await pool.close_all_but([kept.endpoint])
    assert (old.provider.closed, kept.provider.closed) == (1, 0)
    assert pool.connect(spec(), entry("kept", base_url="http://127.0.0.1:10")) is kept
    assert pool.connect(spec(), entry("old")) is not old
