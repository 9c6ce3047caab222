"""The routes against the kit's contract."""

from __future__ import annotations

from llamafarm_kit.testing import RouteContract


class TestRoutes(RouteContract):
    plugin = "rag"
    config = {
        "rag": {
            "databases": [
                {
                    "name": "notes",
                    "type": "ChromaStore",
                    "embedding_strategies": [
                        {
                            "name": "small",
                            "type": "OllamaEmbedder",
                            "config": {"model": "none", "base_url": "http://127.0.0.1:9"},
                        }
                    ],
                }
            ]
        }
    }
    parameters = {"dataset": "documents", "database": "notes"}
