"""The routes that plugins bring: each below both prefixes, behind the core's own, and its failures its plugin's."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from llamafarm.api.settings import MAX_BODY_BYTES, Settings
from llamafarm.errors import PluginError, RequestError
from llamafarm.farm.farm import Farm
from llamafarm.plugins.blame import blaming
from llamafarm.records import RouteSpec
from llamafarm.web.body import BODY_LIMIT, BodyLimit
from llamafarm.web.endpoint import Incoming, while_connected


class PluginRoute(Route):
    """A route of a plugin below one prefix."""

    def __init__(self, prefix: str, spec: RouteSpec, settings: Settings) -> None:
        super().__init__(f"{prefix}{spec.path}", PluginEndpoint(spec, settings), methods=list(spec.methods))
        self.spec = spec


class PluginEndpoint:
    """Asks a plugin for the answer to a request, for as long as the client is there."""

    def __init__(self, spec: RouteSpec, settings: Settings) -> None:
        self._spec = spec
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[BODY_LIMIT] = BodyLimit(self._settings.limits.max_body_bytes, f"{MAX_BODY_BYTES} sets the limit here.")
        incoming = Incoming(scope, receive)
        try:
            await while_connected(incoming.after_body, self._answer(Request(scope, incoming.receive), send))
        except ClientDisconnect:
            return  # nobody reads an answer

    async def _answer(self, request: Request, send: Send) -> None:
        farm = await self._settings.farm(request.path_params)
        self._check_enabled(farm)
        with blaming(f"The route {self._spec.name!r}", PluginError, but=(ClientDisconnect, HTTPException)):
            response = await self._spec.endpoint(request, farm)
            if not isinstance(response, Response):
                raise TypeError(f"it returned {response!r}, which is no response of starlette")
            await response(request.scope, request.receive, send)

    def _check_enabled(self, farm: Farm) -> None:
        """Raise RequestError (404) where the project has disabled the plugin."""
        plugins = self._settings.gateway.plugins_of(farm.project)
        if plugins is not self._settings.plugins and self._spec not in plugins.routes():
            message = f"The project {farm.project.identity} has disabled the plugin that answers at {self._spec.path}."
            hint = "`plugins.disabled` in its llamafarm.yaml names it."
            raise RequestError(message, hint=hint, status=404, code="plugin_disabled")


def is_public(scope: Scope, routes: Sequence[PluginRoute]) -> bool:
    """Whether a request is for a route that asks for no key. Of several the first is meant, as by the router."""
    for route in routes:
        if route.matches(scope)[0] is Match.FULL:
            return route.spec.scope == "public"
    return False
