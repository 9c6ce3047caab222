"""The conversations of a project: listing, reading and deleting them."""

from __future__ import annotations

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llamafarm.api.settings import Settings
from llamafarm.sessions import ProjectSessions
from llamafarm.web.answers import json_answer


def routes(prefix: str, settings: Settings) -> list[Route]:
    """Below `{prefix}/chat/sessions`."""

    async def kept(request: Request) -> ProjectSessions:
        return (await settings.farm(request.path_params)).sessions

    async def list_sessions(request: Request) -> Response:
        found = await (await kept(request)).list()
        return json_answer({"object": "list", "data": [asdict(row) for row in found]})

    async def history(request: Request) -> Response:
        session = request.path_params["session"]
        return json_answer({"id": session, "messages": await (await kept(request)).messages(session)})

    async def delete(request: Request) -> Response:
        session = request.path_params["session"]
        await (await kept(request)).delete(session)
        return json_answer({"id": session, "deleted": True, "message": f"Session {session} is deleted."})

    async def delete_all(request: Request) -> Response:
        count = await (await kept(request)).delete_all()
        what = "1 session is" if count == 1 else f"{count} sessions are"
        return json_answer({"count": count, "deleted": True, "message": f"{what} deleted."})

    base = f"{prefix}/chat/sessions"
    return [
        Route(base, list_sessions, methods=["GET"]),
        Route(base, delete_all, methods=["DELETE"]),
        Route(f"{base}/{{session}}", delete, methods=["DELETE"]),
        Route(f"{base}/{{session}}/history", history, methods=["GET"]),
    ]
