"""What LlamaFarm expects of every plugin and every agent handler, held by this one: at rest, and at work."""

from __future__ import annotations

from llamafarm_kit.testing import AgentHandlerContract, PluginContract


class TestPlugin(PluginContract):
    plugin = "recall"


class TestAtRest(AgentHandlerContract):
    """Every request switches it off."""

    handler = "recall"
    options = {"notes": "notes.txt", "embedder": "cow"}
    files = {"notes.txt": "Cows eat hay.\n"}
    sends = {"recall": False}


class TestWithoutANoteThatIsNear(AgentHandlerContract):
    """It has looked, and leaves the answer as it is."""

    handler = "recall"
    options = {"notes": "notes.txt", "embedder": "cow"}
    files = {"notes.txt": "# There are no notes yet.\n"}


class TestAtWork(AgentHandlerContract):
    """The vectors of the model that the contract plays all point the same way: every note is near."""

    handler = "recall"
    options = {"notes": "notes.txt", "embedder": "cow", "top": 1}
    files = {"notes.txt": "Cows eat hay.\nPigs do not fly.\n"}
    changes = "its sources follow the answer"
