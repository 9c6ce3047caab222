"""What LlamaFarm expects of every plugin and every agent handler, held by `rag`."""

from __future__ import annotations

from asked import PORT, SECTIONS, STOP, Found, spec
from llamafarm_kit.testing import AgentHandlerContract, PluginContract

FIELDS = {
    "database": "guides",
    "dataset": "manuals",
    "rag_retrieval_strategy": "all",
    "rag_score_threshold": 0.25,
    "rag_enabled": True,
    "rag_top_k": 3,
    "rag_queries": ["port"],
    "rag_filters": {"author": "Ada"},
}


class TestRagPlugin(PluginContract):
    plugin = "rag"
    names = {"datasets": "files belong to the databases of the section `rag`"}


class TestRag(AgentHandlerContract):
    """Every answer is checked against its sources."""

    handler = "rag"
    options = {"verify": "quote"}
    config = SECTIONS
    fields = FIELDS
    changes = "marks are checked, and what is told of the sources ends the answer"

    @property
    def spec(self):
        return spec(Found(PORT, STOP))

    @staticmethod
    def answer(request):
        return f"Asked {request['messages'][-1]['content'].splitlines()[-1]!r}, it is port 11540 [1][9]."


class TestRagThatIsOff(TestRag):
    """Nobody wants documents: the reply passes as it is."""

    options = {"enabled": False}
    changes = None
