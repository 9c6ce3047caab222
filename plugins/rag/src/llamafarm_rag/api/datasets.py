"""`/datasets`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import llamafarm
from llamafarm.web import json_answer

from llamafarm_rag.api.runs import run_answer
from llamafarm_rag.config.project import dataset_of, datasets_of
from llamafarm_rag.ingestion.processing import process
from llamafarm_rag.ingestion.progress import Listener
from llamafarm_rag.ingestion.report import Report
from llamafarm_rag.library import database_for, dataset_details, dataset_row

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def list_datasets(_: Request, farm: llamafarm.Farm) -> Response:
    """The datasets, and what is in their databases."""
    rows = [await dataset_row(farm, dataset) for dataset in datasets_of(farm.project)]
    return json_answer({"object": "list", "data": rows})


async def show(request: Request, farm: llamafarm.Farm) -> Response:
    """The sources and the files of a dataset."""
    return json_answer(await dataset_details(farm, dataset_of(farm.project, request.path_params["dataset"])))


async def process_dataset(request: Request, farm: llamafarm.Farm) -> Response:
    """Read what is new or has changed, and forget what is gone; `?stream=true` tells how far it is."""
    dataset = dataset_of(farm.project, request.path_params["dataset"])

    async def run(progress: Listener) -> Sequence[Report]:
        async with database_for(farm, dataset) as database:
            return [await process(farm.project, dataset, database, farm, progress=progress)]

    return await run_answer(run, stream=request.query_params.get("stream") == "true")
