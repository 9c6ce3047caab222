"""What is known of the server and of its models; what it does not tell stays unknown."""

from __future__ import annotations

import pytest
from lemonade_answers import recorded
from lemonade_asking import Asking
from lemonade_server import EMBEDDER, MODEL, LemonadeServer
from llamafarm.errors import ModelNotFound
from llamafarm_kit.testing import ScriptedUpstream
from llamafarm_lemonade.models import bare, model_info

pytestmark = pytest.mark.anyio


@pytest.fixture
def server():
    return LemonadeServer()


@pytest.fixture
async def asking(server):
    async with ScriptedUpstream(server) as upstream, Asking(upstream, lemonade={"context_size": 1024}) as asking:
        yield asking


async def test_the_recorded_models_are_read():
    rows, health = recorded("models")["data"], recorded("health-loaded")
    found = {info.id: info for info in (model_info(row, health) for row in rows)}
    loaded, other = found["Tiny-Qwen2-F16"], found["Mid-Qwen2-Q4_0"]
    assert (loaded.loaded, loaded.context_length) == (True, 1024)
    assert (other.loaded, other.context_length) == (False, 2048)
    assert loaded.size_bytes == 3221225
    assert loaded.features is None
    assert (loaded.downloaded, loaded.memory_bytes) == (True, None)


async def test_labels_of_the_servers_own_models_are_features():
    row = {**recorded("model-by-id"), "labels": ["reasoning", "tool-calling", "hot"]}
    assert model_info(row, {}).features == {"reasoning", "tools"}
    assert model_info({**row, "labels": ["image", "edit"]}, {}).features == {"images", "image edits"}
    assert model_info({**row, "downloaded": "unknown"}, {}).downloaded is None


async def test_models_are_listed_with_what_is_in_memory(server, asking):
    await asking.streamed()
    models = {info.id: info for info in await asking.provider.list_models()}
    assert (models[MODEL].loaded, models[MODEL].context_length) == (True, 1024)
    assert (models[EMBEDDER].loaded, models[EMBEDDER].features) == (False, frozenset({"embeddings"}))


@pytest.mark.parametrize("name", [MODEL, f"user.{MODEL}", f"extra.{MODEL}"])
async def test_a_model_is_described_by_its_name_with_and_without_prefix(asking, name):
    assert (await asking.provider.describe(name)).id == MODEL


async def test_a_model_that_is_missing_is_named(asking):
    with pytest.raises(ModelNotFound, match="No-Such"):
        await asking.provider.describe("No-Such")


async def test_health_tells_version_and_model(asking):
    before = await asking.provider.health()
    assert (before.ok, before.version, before.detail) == (True, "11.7.0", "no model is loaded")
    await asking.streamed()
    assert (await asking.provider.health()).detail == f"{MODEL} is loaded"


async def test_the_statistics_are_the_servers_own(asking):
    assert await asking.provider.stats() == recorded("stats")


def test_prefixes_and_the_tag_are_no_part_of_a_name():
    assert [bare(name) for name in ("user.A", "extra.A", "builtin.A", "A:latest", "A.B")] == ["A"] * 4 + ["A.B"]
