"""Adapters in memory: each beside the model that it changes, of which there is one, and which stays while it works."""

from __future__ import annotations

import asyncio

import pytest
from houses import house, kill, ref_of, until
from llamafarm.errors import LlamaFarmError, ModelNotFound, ServiceError
from llamafarm_universal.server.keep import Keep

pytestmark = pytest.mark.anyio


async def test_the_model_is_loaded_once_for_all_of_its_adapters():
    async with house() as home:
        home.store.sizes = {"a:lora": 5, "a:dora": 5}
        for name in ("a:lora", "a:dora", "a"):
            await home.use(name)
        assert home.loaded() == ["a", "a:dora", "a:lora"]
        assert sorted(home.store.ended) == ["a", "a:dora", "a:lora"]


async def test_who_asks_for_an_adapter_hears_of_the_model_first():
    async with house() as home:
        home.store.sizes["a:lora"] = 5
        heard: list[str] = []
        (await home.lease("a:lora", listen=lambda step: heard.append(step.text))).release()
        assert heard[-2:] == ["Loading a", "Loading lora"]


async def test_the_model_stays_while_an_adapter_of_it_works():
    async with house() as home:
        home.store.sizes = {"a:lora": 5, "b": 70}
        busy = await home.lease("a:lora")
        waiting = asyncio.create_task(home.lease("b"))
        await until(lambda: home.state("b") == "waiting")
        assert home.loaded() == ["a", "a:lora"]
        busy.release()
        (await waiting).release()
        assert home.loaded() == ["b"]


async def test_a_model_that_goes_takes_its_adapters_along():
    async with house() as home:
        home.store.sizes["a:lora"] = 5
        await home.use("a:lora")
        await home.residency.unload(ref_of("a"))
        assert home.loaded() == []
        home.store.sizes["b"] = 95
        await home.use("b")  # nothing is held for what has gone
        await home.residency.unload(ref_of("b"))
        await home.use("a:lora")
        assert home.loaded() == ["a", "a:lora"]


async def test_an_adapter_goes_alone():
    async with house() as home:
        home.store.sizes["a:lora"] = 5
        await home.use("a:lora")
        await home.residency.unload(ref_of("a:lora"))
        assert home.loaded() == ["a"]


async def test_adapters_that_nobody_uses_make_room_for_others_and_the_model_of_a_new_one_does_not():
    async with house() as home:
        home.store.sizes = {"a": 60, "a:first": 25, "a:second": 25, "a:third": 25}
        for name in ("a:first", "a:second", "a:third"):
            await home.use(name)
        assert home.loaded() == ["a", "a:third"]


async def test_an_adapter_for_which_there_is_no_room_beside_its_model_is_refused():
    async with house() as home:
        home.store.sizes = {"a": 60, "a:lora": 50}
        with pytest.raises(LlamaFarmError, match="`a` with the adapter `lora` needs 0 KB") as caught:
            await home.lease("a:lora")
        assert caught.value.code == "out_of_memory"
        await home.use("a")


async def test_one_that_waits_for_its_model_is_no_load_that_others_wait_for():
    """The model finds no room while the adapter holds some: that is told, and nobody waits for the other for ever."""
    async with house(keeps=lambda ref: Keep(None, pinned=True) if ref.id == "pinned" else None) as home:
        home.store.sizes = {"pinned": 70, "a": 40, "a:lora": 5}
        await home.use("pinned")
        with pytest.raises(LlamaFarmError, match="`a` needs 0 KB"):
            await home.lease("a:lora")
        assert home.loaded() == ["pinned"]


async def test_nothing_new_comes_to_an_adapter_whose_model_is_to_go():
    async with house(max_wait=0.05) as home:
        home.store.sizes = {"a:lora": 5, "b": 70}
        first = await home.lease("a:lora")
        waiting = asyncio.create_task(home.lease("b"))
        await until(lambda: home.state("a") == "draining" or home.state("a:lora") == "draining")
        later = asyncio.create_task(home.lease("a:lora"))
        await asyncio.sleep(0)
        first.release()
        (await waiting).release()
        (await later).release()
        assert home.loaded() == ["a", "a:lora"]


async def test_an_adapter_that_is_nowhere_loads_nothing():
    async with house() as home:
        home.store.missing.add("a:lora")
        with pytest.raises(ModelNotFound):
            await home.lease("a:lora")
        assert home.store.ended == ["a:lora"]


async def test_its_model_is_given_up_with_it_where_nobody_else_wants_it():
    async with house() as home:
        home.store.sizes["a:lora"] = 5
        home.store.held["a"] = asyncio.Event()
        waiting = asyncio.create_task(home.lease("a:lora"))
        await until(lambda: home.state("a") == "locating")
        waiting.cancel()
        await until(lambda: home.state("a") is home.state("a:lora") is None)


async def test_a_host_that_dies_takes_both_along_and_only_who_was_asked_is_blamed():
    async with house() as home:
        home.store.sizes["a:lora"] = 5
        for _ in range(2):
            lease = await home.lease("a:lora")
            await kill(home)
            assert home.loaded() == []
            lease.release()
        with pytest.raises(ServiceError, match="its engine host ended 2 times"):
            await home.lease("a:lora")
        await home.use("a")


async def test_an_idle_adapter_is_unloaded_in_time_and_its_model_by_itself():
    async with house() as home:
        home.store.sizes["a:lora"] = 5
        home.residency.ask_to_keep(ref_of("a:lora"), Keep(0.0))
        await home.use("a:lora")
        await until(lambda: home.loaded() == ["a"])
