"""The provider keeps the contract of every provider."""

from __future__ import annotations

from llamafarm.testing import OpenAIScenes, ProviderContract


class TestOpenAI(ProviderContract):
    plugin = "openai"
    provider = "openai"
    scenes = OpenAIScenes()
