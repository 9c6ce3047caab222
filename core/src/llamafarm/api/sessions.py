"""The conversations of a project: listing, reading and deleting them."""

from __future__ import annotations

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llamafarm.api.settings import Settings
from llamafarm.errors import UsageError
from llamafarm.sessions import SessionStore
from llamafarm.web.answers import json_answer


def routes(prefix: str, settings: Settings) -> list[Route]:
    """Below `{prefix}/chat/sessions`."""

    async def key(request: Request) -> str:
        return (await settings.projects.of(request.path_params)).identity

    async def list_sessions(request: Request) -> Response:
        found = await _store(settings).list(await key(request))
        return json_answer({"object": "list", "data": [asdict(row) for row in found]})

    async def history(request: Request) -> Response:
        session = request.path_params["session"]
        messages = await _store(settings).messages(await key(request), session)
        return json_answer({"id": session, "messages": messages})

    async def delete(request: Request) -> Response:
        session = request.path_params["session"]
        await _store(settings).delete(await key(request), session)
        return json_answer({"id": session, "deleted": True, "message": f"Session {session} is deleted."})

    async def delete_all(request: Request) -> Response:
        count = await _store(settings).delete_all(await key(request))
        return json_answer(
            {"count": count, "deleted": True, "message": f"Deleted {count} session{'' if count == 1 else 's'}."}
        )

    base = f"{prefix}/chat/sessions"
    return [
        Route(base, list_sessions, methods=["GET"]),
        Route(base, delete_all, methods=["DELETE"]),
        Route(f"{base}/{{session}}", delete, methods=["DELETE"]),
        Route(f"{base}/{{session}}/history", history, methods=["GET"]),
    ]


def _store(settings: Settings) -> SessionStore:
    if settings.gateway.sessions is None:
        raise UsageError("No sessions are kept here.", code="session_not_found")
    return settings.gateway.sessions
