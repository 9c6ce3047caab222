"""The benchmark of retrieval as a whole, beside a server whose vectors mean nothing."""

from __future__ import annotations

import base64
import subprocess
import sys

import numpy as np
import pytest
import rag
from llamafarm.web import Server
from llamafarm_kit.testing.served import served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def models(_: Request) -> JSONResponse:
    return JSONResponse({"object": "list", "data": [{"id": rag.MODEL}]})


async def embeddings(request: Request) -> JSONResponse:
    texts = (await request.json())["input"]
    rows = np.random.default_rng(len(texts)).standard_normal((len(texts), 384)).astype("<f4")
    data = [
        {"object": "embedding", "index": at, "embedding": base64.b64encode(row.tobytes()).decode()}
        for at, row in enumerate(rows)
    ]
    return JSONResponse({"object": "list", "model": rag.MODEL, "data": data})


def test_it_measures_ingestion_and_search():
    routes = [Route("/v1/models", models), Route("/v1/embeddings", embeddings, methods=["POST"])]
    with served(Server(Starlette(routes=routes), grace=1, announce=lambda _: None)) as url:
        few = ["--chunks", "25", "--rounds", "1", "--questions", "3"]
        command = [sys.executable, rag.__file__, "--at", f"{url}/v1", *few]
        done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    round_, ingestion, _, question, chroma = done.stdout.splitlines()
    assert " chunks: " in round_, done.stderr
    assert ingestion.startswith("ingestion: ")
    assert question.startswith("a question: ")
    assert "Chroma alone" in chroma
    assert done.returncode == 0 or done.stderr.startswith("missed: ")


@pytest.mark.parametrize(
    ("figures", "missed"),
    [
        (rag.Figures([(9.0, 10.0), (8.5, 10.0), (1.0, 10.0)], 500, 1, 5, 40, 1), []),
        (rag.Figures([(7.0, 10.0)], 2000, 1, 5, 60, 1), ["80% of", "1024 MiB", "50 ms"]),
    ],
)
def test_budgets_that_are_not_held_are_told(figures, missed):
    assert [found.startswith(said) for found, said in zip(figures.missed(), missed, strict=True)] == [True] * len(
        missed
    )
