"""Providers are made once for each endpoint."""

from __future__ import annotations

import pytest
from llamafarm.gateway.dispatch import Dispatcher
from llamafarm.project import Project
from llamafarm.providers.base import Endpoint
from llamafarm.providers.entry import ModelEntry, Timeouts
from llamafarm.records import ProviderSpec
from llamafarm_kit.testing.scripted import ScriptedPlugins

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


def dispatcher(client: type[Client] = Client, **other: type[Client]) -> Dispatcher:
    """Knows the provider `acme`, and others by their names, each with its class of clients."""

    def endpoint(entry: ModelEntry) -> Endpoint:
        return Endpoint(entry.provider, entry.base_url or "http://127.0.0.1:9", timeouts=entry.timeouts)

    plugins = ScriptedPlugins()
    for name, kind in {"acme": client, **other}.items():
        plugins.specs[name] = ProviderSpec(name, "made for a test", ModelEntry, endpoint, kind)
    return Dispatcher(plugins)


def entry(name: str, provider: str = "acme", **more) -> ModelEntry:
    return ModelEntry(name=name, provider=provider, model=name, **more)


async def test_entries_of_one_endpoint_share_a_provider():
    known = dispatcher()
    provider = known.lease(entry("a")).provider
    assert known.lease(entry("b")).provider is provider
    assert known.lease(entry("c", base_url="http://127.0.0.1:10")).provider is not provider
    assert known.lease(entry("d", timeouts=Timeouts(total=1))).provider is not provider


@pytest.mark.parametrize("bad", [BadClient, lambda endpoint: None], ids=["raises", "is no provider"])
async def test_closing_closes_each_of_them_once_and_tells_of_one_that_does_not_close(caplog, bad):
    known = dispatcher(bad=bad)
    known.lease(entry("bad", "bad"))
    good = known.lease(entry("good")).provider
    await known.aclose()
    await known.aclose()
    assert good.closed == 1
    assert [record.message.partition(": ")[0] for record in caplog.records] == ["The provider 'bad' did not close"]


async def test_what_nobody_uses_any_more_is_closed_and_the_rest_stays():
    known = dispatcher()
    used = entry("kept", base_url="http://127.0.0.1:10")
    old, kept = known.lease(entry("old")).provider, known.lease(used).provider
    await known.close_unused([Project("shop", "default", None, (used,))])
    assert (old.closed, kept.closed) == (1, 0)
    assert known.lease(used).provider is kept
    assert known.lease(entry("old")).provider is not old
