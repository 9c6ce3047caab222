"""Which models are in memory, who makes room for whom, and what is left of a model whose host dies.

The hosts are real processes that play a script; the store is played here, so that a test decides what a model weighs
and how long its files take.
"""

from __future__ import annotations

import asyncio

import psutil
import pytest
from houses import house, kill, until
from llamafarm.errors import LlamaFarmError, ModelNotFound, RequestError, ServiceError
from llamafarm_universal.messages import ModelRef
from llamafarm_universal.server import quarantine, residency
from llamafarm_universal.server.keep import Keep

pytestmark = pytest.mark.anyio


async def test_all_who_ask_share_one_load_and_hear_of_it():
    async with house() as home:
        home.store.held["a"] = asyncio.Event()
        steps: list[list[str]] = [[], []]
        waiting = [
            asyncio.create_task(home.lease("a", listen=lambda step, heard=heard: heard.append(step.stage)))
            for heard in steps
        ]
        await until(lambda: home.state("a") == "locating")
        home.store.held["a"].set()
        for lease in await asyncio.gather(*waiting):
            lease.release()
        assert home.store.ended == ["a"]
        assert all("loading" in heard for heard in steps)


async def test_a_model_that_is_not_there_is_told_to_all_and_tried_anew_by_the_next():
    async with house() as home:
        home.store.missing.add("a")
        told = await asyncio.gather(home.lease("a"), home.lease("a"), return_exceptions=True)
        assert all(isinstance(error, ModelNotFound) for error in told)
        home.store.missing.clear()
        await home.use("a")


async def test_files_that_nobody_waits_for_any_more_are_given_up():
    async with house() as home:
        home.store.held["a"] = asyncio.Event()
        waiting = asyncio.create_task(home.lease("a"))
        await until(lambda: home.state("a") == "locating")
        waiting.cancel()
        await until(lambda: home.state("a") is None)
        assert home.store.ended == ["a"]


async def test_the_least_recently_used_idle_model_makes_room_before_the_budget_is_passed():
    async with house() as home:
        for name in ("old", "new", "old"):
            await home.use(name)
        await home.use("third")
        assert home.loaded() == ["old", "third"]


async def test_what_a_model_works_with_counts_beside_its_weights():
    async with house() as home:
        home.store.sizes = {"a": 60, "b": 60}
        await home.use("a")
        await home.use("b")
        assert home.loaded() == ["b"]


async def test_a_model_that_would_not_fit_alone_says_what_it_needs_and_may_have():
    async with house() as home:
        home.store.sizes["huge"] = 200_000
        with pytest.raises(LlamaFarmError, match="needs 200 KB as fp32; models on cpu may take 0 KB") as caught:
            await home.lease("huge")
        assert (caught.value.status, caught.value.code) == (503, "out_of_memory")


async def test_a_pinned_model_makes_no_room():
    async with house(keeps=lambda ref: Keep(None, pinned=True) if ref.id == "pinned" else None) as home:
        home.store.sizes = {"pinned": 70, "b": 70}
        await home.use("pinned")
        with pytest.raises(LlamaFarmError, match="no model that may go holds more"):
            await home.lease("b")
        assert home.loaded() == ["pinned"]


async def test_a_busy_model_is_waited_for():
    async with house() as home:
        home.store.sizes = {"busy": 70, "b": 70}
        busy = await home.lease("busy")
        waiting = asyncio.create_task(home.lease("b"))
        await until(lambda: home.state("b") == "waiting")
        assert home.loaded() == ["busy"]
        busy.release()
        (await waiting).release()
        assert home.loaded() == ["b"]


async def test_after_a_while_a_busy_model_takes_nothing_new_so_that_who_waits_gets_its_turn():
    async with house(max_wait=0.05) as home:
        home.store.sizes = {"busy": 70, "b": 70}
        first = await home.lease("busy")
        waiting = asyncio.create_task(home.lease("b"))
        await until(lambda: home.state("busy") == "draining")
        later = asyncio.create_task(home.lease("busy"))
        first.release()
        b = await waiting
        assert home.loaded() == ["b"]
        assert not later.done()
        b.release()
        (await later).release()
        assert home.loaded() == ["busy"]


async def test_models_of_one_group_are_never_in_memory_together():
    group = Keep(None, group="pictures")
    async with house(keeps=lambda ref: group if ref.id in ("a", "b") else None) as home:
        home.store.sizes = {"a": 10, "b": 10, "c": 10}
        for name in ("a", "c", "b"):
            await home.use(name)
        assert home.loaded() == ["b", "c"]


@pytest.mark.parametrize(("seconds", "goes"), [(0.0, True), (0.05, True), (None, False)])
async def test_an_idle_model_goes_when_its_time_is_over(seconds: float | None, goes: bool):
    async with house(keep=Keep(seconds)) as home:
        lease = await home.lease("a")
        assert home.state("a") == "ready", "time counts from the end of its last request"
        lease.release()
        if goes:
            await until(lambda: home.state("a") is None)
        else:
            assert home.state("a") == "ready"


async def test_how_long_a_model_stays_can_be_said_of_one_that_is_loaded():
    async with house() as home:
        await home.use("a")
        home.residency.ask_to_keep(ModelRef("a"), Keep(0.0))
        await until(lambda: home.state("a") is None)


async def test_unloading_waits_for_the_requests_that_run():
    async with house() as home:
        lease = await home.lease("a")
        gone = asyncio.create_task(home.residency.unload(ModelRef("a")))
        await until(lambda: home.state("a") == "draining")
        lease.release()
        await gone
        assert home.loaded() == []
        with pytest.raises(ModelNotFound):
            await home.residency.unload(ModelRef("a"))


async def test_who_has_waited_for_a_model_gets_it_though_others_wait_for_its_room():
    async with house(limit=60, max_wait=0) as home:
        for _ in range(3):
            await asyncio.gather(home.use("a"), home.use("b"))


async def test_an_unloading_does_not_wait_for_who_has_gone_away():
    async with house(limit=60, max_wait=0) as home:
        waiting = asyncio.create_task(home.lease("a"))
        await until(lambda: home.state("a") is not None)
        loading = home.residency.find(ModelRef("a")).loading
        loading.add_done_callback(lambda _: waiting.cancel())
        await home.use("b")


async def test_who_asks_while_a_load_is_given_up_gets_one_of_their_own():
    async with house() as home:
        home.store.held["a"] = asyncio.Event()
        first = asyncio.create_task(home.lease("a"))
        await until(lambda: home.state("a") == "locating")
        first.cancel()
        second = asyncio.create_task(home.lease("a"))
        await asyncio.wait([first])
        home.store.held["a"].set()
        (await second).release()


async def test_the_models_of_a_host_that_died_are_gone_and_come_back_when_they_are_asked():
    async with house() as home:
        await home.use("a")
        await kill(home)
        await until(lambda: home.loaded() == [])
        await home.use("a")
        assert home.loaded() == ["a"]


async def test_a_model_whose_load_ends_its_host_twice_is_left_alone_and_says_why():
    async with house() as home:
        for _ in range(2):
            with pytest.raises(ServiceError, match="ended while"):
                await home.lease("die/load")
        with pytest.raises(ServiceError, match="its engine host ended 2 times") as caught:
            await home.lease("die/load")
        assert caught.value.code == "model_quarantined"
        assert "tried again in 15 s" in (caught.value.hint or "")
        await home.use("a")


async def test_a_model_whose_requests_end_its_host_twice_is_left_alone_too():
    async with house() as home:
        for _ in range(2):
            lease = await home.lease("a")
            await kill(home)
            lease.release()
        with pytest.raises(ServiceError, match="its engine host ended 2 times"):
            await home.lease("a")
        await home.use("b")


async def test_what_is_left_alone_is_tried_again_and_then_left_alone_for_longer(monkeypatch):
    monkeypatch.setattr(quarantine, "FIRST_SECONDS", 0.2)
    async with house() as home:
        for _ in range(2):
            with pytest.raises(ServiceError, match="ended while"):
                await home.lease("die/load")
        await until(lambda: home.residency.quarantine.cause(ModelRef("die/load")) is None)
        with pytest.raises(ServiceError, match="ended while"):
            await home.lease("die/load")
        with pytest.raises(ServiceError, match="its engine host ended 3 times"):
            await home.lease("die/load")


async def test_a_request_that_ends_well_clears_a_model_of_suspicion():
    async with house() as home:
        for _ in range(3):
            await home.use("a")
            lease = await home.lease("a")
            await kill(home)
            lease.release()
        await home.use("a")


async def test_where_several_models_are_asked_none_is_suspected():
    async with house() as home:
        for _ in range(3):
            leases = [await home.lease(name) for name in ("a", "b")]
            await kill(home)
            for lease in leases:
                lease.release()
        await home.use("a")


async def test_a_model_that_asks_for_it_gets_a_host_of_its_own():
    async with house() as home:
        home.store.hosts["b"] = "apart"
        plain, other = await home.lease("a"), await home.lease("b")
        assert plain.host is home.fleet.main
        assert other.host is not plain.host
        await kill(home)
        assert home.loaded() == ["b"]
        for lease in (plain, other):
            lease.release()


async def test_a_host_beside_the_main_one_is_shared_and_ends_with_its_last_model(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(residency, "REST_SECONDS", 0.05)
    async with house(limit=1000) as home:
        home.store.hosts = {"b": "apart", "c": "apart"}
        leases = [await home.lease(name) for name in ("a", "b", "c")]
        main, shared, same = (lease.host for lease in leases)
        assert shared is same
        for lease in leases:
            lease.release()
        await home.residency.unload(ModelRef("b"))
        await asyncio.sleep(0.2)
        assert shared.state == "ready"
        await home.residency.unload(ModelRef("c"))
        await until(lambda: shared.state == "stopped")
        await home.residency.unload(ModelRef("a"))
        await asyncio.sleep(0.2)
        assert main.state == "ready"
        anew = await home.lease("c")
        assert anew.host is not shared
        anew.release()


async def test_a_host_that_is_waited_for_is_not_ended(monkeypatch: pytest.MonkeyPatch):
    """It has died and comes again, empty, when the next model is on its way to it."""
    monkeypatch.setattr(residency, "REST_SECONDS", 0.05)
    async with house() as home:
        home.store.hosts = {"b": "apart", "c": "apart"}
        lease = await home.lease("b")
        died = psutil.Process(lease.host.pid)
        died.kill()
        await until(lambda: home.loaded() == [])
        await home.use("c")
        lease.release()


async def test_a_host_beside_the_main_one_that_dies_with_its_models_is_not_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(residency, "REST_SECONDS", 0.05)
    async with house() as home:
        home.store.hosts["b"] = "apart"
        lease = await home.lease("b")
        psutil.Process(lease.host.pid).kill()
        await until(lambda: lease.host.state == "stopped")
        assert home.fleet.deaths == 1
        lease.release()


class TestFilesThatAreDeleted:
    """A model is loaded from whole files, or not at all."""

    async def test_nobody_loads_a_model_meanwhile_and_everybody_after_that(self):
        async with house() as home:
            with home.residency.deletions.of("a"):
                with pytest.raises(RequestError, match="`a` is being deleted") as refused:
                    await home.lease("a")
                assert (refused.value.status, refused.value.code) == (409, "model_in_use")
                await home.use("b")
            await home.use("a")

    async def test_a_load_that_is_under_way_is_not_deleted_under(self):
        async with house() as home:
            home.store.bases["adapter"] = "base"
            home.store.drafts["adapter"] = "small"
            home.store.sizes = {"adapter": 80, "other": 80}
            busy = await home.lease("other")
            waiting = asyncio.create_task(home.lease("adapter"))
            await until(lambda: home.state("adapter") == "waiting")
            for model in ("adapter", "base", "small"):
                with (
                    pytest.raises(RequestError, match=f"`{model}` is being loaded"),
                    home.residency.deletions.of(model),
                ):
                    raise AssertionError("it is deleted")
            busy.release()
            (await waiting).release()
            with home.residency.deletions.of("base"):
                await home.use("adapter")  # what is loaded needs its files no more

    async def test_an_adapter_whose_base_model_is_deleted_as_it_is_found_is_not_loaded(self):
        async with house() as home:
            home.store.bases["adapter"] = "base"
            home.store.held["adapter"] = asyncio.Event()
            waiting = asyncio.create_task(home.lease("adapter"))
            await until(lambda: home.state("adapter") == "locating")
            with home.residency.deletions.of("base"):
                home.store.held["adapter"].set()
                with pytest.raises(RequestError, match="`base` is being deleted"):
                    await waiting
            await home.use("adapter")

    async def test_a_model_whose_draft_model_is_deleted_as_it_is_found_is_not_loaded(self):
        async with house() as home:
            home.store.drafts["large"] = "small"
            home.store.held["large"] = asyncio.Event()
            waiting = asyncio.create_task(home.lease("large"))
            await until(lambda: home.state("large") == "locating")
            with home.residency.deletions.of("small"):
                home.store.held["large"].set()
                with pytest.raises(RequestError, match="`small` is being deleted"):
                    await waiting

    async def test_two_do_not_delete_one_model_at_once(self):
        async with house() as home:
            with home.residency.deletions.of("a"), pytest.raises(RequestError), home.residency.deletions.of("a"):
                raise AssertionError("both delete it")
