"""The holder of a database serves it to other processes of this user, on a port of the loopback address."""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from llamafarm.errors import LlamaFarmError, UsageError
from llamafarm.web import Server, listen, url_of
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llamafarm_rag.database.calls import CALLS, Call, dump_error
from llamafarm_rag.database.lock import Holder
from llamafarm_rag.errors import DatabaseError

PROOF = "X-LF-Database"
"""The header by which a holder proves that it is the one that was announced."""
PING = "ping"
"""What answers at once and does nothing."""
START_SECONDS = 30.0
GRACE_SECONDS = 5.0
log = logging.getLogger(__name__)

Submit = Callable[[str, list[Any]], Future[Any]]
"""Has the database's own thread do an operation."""


class DatabaseServer:
    """Serves until it is stopped. Raises DatabaseError where it does not start."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit
        self._listener = listen("127.0.0.1", 0)
        self.holder = Holder(os.getpid(), url_of(self._listener))
        self._listening = threading.Event()
        app = Starlette(routes=[Route("/{operation}", self._answer, methods=["POST"])])
        self._server = Server(app, grace=GRACE_SECONDS, announce=lambda _: self._listening.set())
        self._thread = threading.Thread(target=self._serve, name="llamafarm-database-server", daemon=True)
        self._thread.start()
        if not self._listening.wait(START_SECONDS):
            raise DatabaseError("The server of the database does not start, by which other processes reach it.")

    def stop(self) -> None:
        """Let answers that are under way end, and stop."""
        self._server.should_exit = True
        self._thread.join(START_SECONDS)

    def _serve(self) -> None:
        with self._listener:
            self._server.run(sockets=[self._listener])

    async def _answer(self, request: Request) -> Response:
        shown = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(shown, f"Bearer {self.holder.token}".encode()):
            return Response("This is the database of another user, or of an earlier process.", 401)
        name = request.path_params["operation"]
        if name == PING:
            return self._proven(b"{}")
        if (call := CALLS.get(name)) is None:
            return self._proven(dump_error(UsageError(f"A database has no operation {name!r}.")), 404)
        return await self._done(call, await request.body())

    async def _done(self, call: Call, body: bytes) -> Response:
        try:
            arguments = call.load_arguments(body)
            try:
                asked = self._submit(call.name, arguments)
            except RuntimeError:  # this process ends without having closed the database
                return Response("The process ends.", 503)  # without proof: whoever asked looks for another holder
            return self._proven(call.dump_answer(await asyncio.wrap_future(asked)))
        except LlamaFarmError as error:
            return self._proven(dump_error(error), error.status)
        except Exception as error:
            log.exception("%s of a database failed.", call.name)
            why = f"{call.name} of the database failed in process {os.getpid()}: {type(error).__name__}: {error}"
            return self._proven(dump_error(DatabaseError(why, hint="Its log says more.")), 500)

    def _proven(self, body: bytes, status: int = 200) -> Response:
        return Response(body, status, {PROOF: self.holder.proof}, media_type="application/json")
