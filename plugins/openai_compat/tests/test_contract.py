"""The provider keeps the contract of every provider, and loses no field whatever server it speaks to."""

from __future__ import annotations

import pytest
from llamafarm.wire.operations import OPERATIONS
from llamafarm_kit.testing import OpenAIScenes, ProviderContract
from llamafarm_openai_compat.profiles import PROFILES


class TestOpenAI(ProviderContract):
    plugin = "openai"
    provider = "openai"
    scenes = OpenAIScenes()


@pytest.mark.anyio
@pytest.mark.parametrize("profile", [profile.name for profile in PROFILES])
async def test_whatever_the_server_no_field_is_dropped_without_a_word(profile):
    contract = TestOpenAI()
    contract.entry = {"profile": profile}
    for operation in OPERATIONS:
        await contract.test_every_field_is_sent_or_named_as_ignored_or_refused(operation)
