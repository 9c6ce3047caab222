"""`/rag/databases`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import llamafarm
from llamafarm.web import json_answer

from llamafarm_rag import rebuilding
from llamafarm_rag.api.runs import run_answer
from llamafarm_rag.config.project import database_of, rag_of
from llamafarm_rag.ingestion.progress import Listener
from llamafarm_rag.ingestion.report import Report
from llamafarm_rag.library import database_row

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def list_databases(_: Request, farm: llamafarm.Farm) -> Response:
    """The databases, and how large they are."""
    rows = [await database_row(farm, options) for options in rag_of(farm.project).databases]
    return json_answer({"object": "list", "data": rows})


async def rebuild_database(request: Request, farm: llamafarm.Farm) -> Response:
    """Embed a database anew; `?stream=true` tells how far it is."""
    options = database_of(farm.project, request.path_params["database"])

    async def run(progress: Listener) -> Sequence[Report]:
        return await rebuilding.rebuild_database(farm, options, progress)

    return await run_answer(run, stream=request.query_params.get("stream") == "true")
