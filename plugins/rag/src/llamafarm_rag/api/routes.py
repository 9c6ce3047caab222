"""Which routes there are; what each does stands in the modules beside, which are imported when it is first asked."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import llamafarm

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

Scope = Literal["public", "use", "admin"]
ROUTES: tuple[tuple[str, str, Scope, str, str], ...] = (
    ("POST", "/rag/query", "use", "queries:query", "What would be retrieved for a question, and why."),
    ("GET", "/rag/databases", "use", "databases:list_databases", "The databases, and how large they are."),
    ("POST", "/rag/databases/{database}/rebuild", "admin", "databases:rebuild_database", "Embed a database anew."),
    ("GET", "/datasets", "use", "datasets:list_datasets", "The datasets, and what is in their databases."),
    ("GET", "/datasets/{dataset}", "use", "datasets:show", "The sources and files of a dataset."),
    ("POST", "/datasets/{dataset}/process", "admin", "datasets:process_dataset", "Read what is new or has changed."),
    ("POST", "/datasets/{dataset}/data", "admin", "uploads:upload", "Add files to a dataset."),
    ("DELETE", "/datasets/{dataset}/data/{name}", "admin", "uploads:delete", "Delete a file that was added."),
)
"""Method, path, who may ask, what answers, and what it does."""
LINGER_SECONDS = 30.0
"""How long a database stays open for the next request."""


def route_specs() -> Iterator[llamafarm.RouteSpec]:
    """All routes of retrieval."""
    for method, path, scope, target, summary in ROUTES:
        yield _route(method, path, scope, target, summary)


def _route(method: str, path: str, scope: Scope, target: str, summary: str) -> llamafarm.RouteSpec:
    async def endpoint(request: Request, farm: llamafarm.Farm) -> Response:
        from llamafarm_rag.database.opening import linger_seconds

        linger_seconds.set(LINGER_SECONDS)
        answer = pkgutil.resolve_name(f"llamafarm_rag.api.{target}")
        response: Response = await answer(request, farm)
        return response

    return llamafarm.RouteSpec(path, (method,), summary, endpoint, scope)
