"""Pooled HTTP connections to one endpoint, with the time limits, retries and errors that every provider needs."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn

import aiohttp

from llamafarm.errors import (
    ConfigError,
    ConnectionBroken,
    ConnectionFailed,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
)
from llamafarm.http.address import credentials_of, is_loopback
from llamafarm.http.answer import Answer
from llamafarm.http.certificates import trusted_certificates
from llamafarm.http.connections import Connections
from llamafarm.http.form import encoded_form
from llamafarm.http.proxies import proxy_of
from llamafarm.http.refusal import (
    NEVER_RETRIED,
    ReadError,
    Refusal,
    error_of,
    in_band_status,
    limits_told,
    retry_after,
)
from llamafarm.http.unreachable import FINAL, UNREACHABLE, reason, refused_by, unreachable, where
from llamafarm.providers.base import Call, Endpoint, shown
from llamafarm.providers.limits import Limits, deadline_of, timed_out
from llamafarm.providers.parameters import ignored_by, note_ignored
from llamafarm.wire.body import dump, dump_patiently, is_large

if TYPE_CHECKING:
    import httpx

MAX_ERROR_BYTES = 64 * 1024
ERROR_PAGE_SECONDS = 10.0
"""How long the page of a refusal may take."""
MAX_RETRIES = 2
LONGEST_WAIT = 5.0
"""Seconds, all waits of one request together: where a runtime asks for more, its refusal is passed on."""
CONNECT_BACKOFF = 0.25
_HEADER_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")


class HttpUpstream:
    """Pooled connections to one endpoint. They are kept alive; redirects are not followed; loopback needs no proxy.

    read_error: what a refusal of this kind of runtime means. streams_close: whether the connection of a stream is never
    used again, for a runtime that promises to keep it and closes it.
    """

    def __init__(self, endpoint: Endpoint, read_error: ReadError = error_of, *, streams_close: bool = False) -> None:
        self.endpoint = endpoint
        self.read_error = read_error
        self._base_url = endpoint.address  # its user and password are a header
        self._proxy = proxy_of(endpoint.base_url)
        self._streams_close = streams_close
        if self._proxy is not None:
            self._proxy.check()
        tls = trusted_certificates() if self._proxy is not None or endpoint.base_url.startswith("https:") else None
        self._connections = Connections(_headers(endpoint), endpoint.timeouts.connect, tls, self._proxy)

    @property
    def transport(self) -> httpx.AsyncBaseTransport:
        """The same connections for a library that takes an httpx client: `httpx.AsyncClient(transport=…)`.

        The headers of the endpoint, its key among them, go out with every request.
        """
        return self._connections.transport()

    async def post_json(self, path: str, body: Mapping[str, Any], call: Call) -> dict[str, Any]:
        """Ask and return the JSON object that is answered. Raises ProviderError."""
        async with await self.open_stream(path, body, call, stream=False) as answer:
            return await answer.json()

    async def get_json(self, path: str, *, within: float = 10.0) -> dict[str, Any]:
        """Return the JSON object at `path`, all of it within so many seconds. Raises ProviderError; never retries."""
        async with await self.get(path, within=within) as answer:
            return await answer.json()

    async def get(self, path: str, *, within: float = 10.0) -> Answer:
        """Return the answer at `path`, to be read within so many seconds. Raises ProviderError; never retries."""
        deadline = asyncio.get_running_loop().time() + within
        return await self._attempt("GET", path, {}, None, Limits(deadline, None, deadline))

    async def open_stream(
        self,
        path: str,
        body: Mapping[str, Any],
        call: Call,
        *,
        stream: bool = True,
        headers: Mapping[str, str] | None = None,
        between: float | None = None,
        method: str = "POST",
        form: bool = False,
    ) -> Answer:
        """Ask and return the answer, once the runtime has accepted. `path` follows the base URL, or is a URL.

        between: longest silence inside the answer, in seconds, where it is not the endpoint's. form: send the body as a
        form, which may hold files, and not as JSON. What the runtime says of its limits, and of fields that it ignored,
        is added to `call.headers`.

        Asks again only where nothing was done: no connection, or a 429 or 503 that says when (at most MAX_RETRIES
        times, LONGEST_WAIT seconds in all, and never beyond the deadline). Raises ProviderError.
        """
        content, kind = encoded_form(body) if form else (await _json(body), "application/json")
        own = {"x-request-id": call.request_id, "content-type": kind, **call.trace, **(headers or {})}
        keep = not (stream and self._streams_close)
        deadline = deadline_of(self.endpoint.timeouts, call)
        patience = LONGEST_WAIT
        for attempt in range(MAX_RETRIES + 1):
            try:
                limits = Limits.from_now(self.endpoint.timeouts, deadline, between)
                answer = await self._attempt(method, path, own, content, limits, call.entry.model, keep=keep)
                call.headers.update(limits_told(answer.headers))
                note_ignored(call.headers, ignored_by(answer.headers))
                return answer
            except (ConnectionFailed, RateLimited, ProviderUnavailable) as error:
                wait = self._wait(error, attempt, deadline)
                if wait is None or wait > patience:
                    raise
                patience -= wait
                await asyncio.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    async def aclose(self) -> None:
        """Close all connections; calling twice does nothing."""
        await self._connections.aclose()

    async def _attempt(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        limits: Limits,
        model: str | None = None,
        *,
        keep: bool = True,
    ) -> Answer:
        url = shown(path) if "://" in path else self._base_url + path
        try:
            async with asyncio.timeout_at(limits.first_byte):
                response = await self._connections.ask(method, url, headers, body, keep=keep)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._failure(error, url, self.endpoint.named(model), limits) from error
        answer = Answer(self.endpoint, response, limits, model)
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            await self._refuse(answer)
        return answer

    async def _refuse(self, answer: Answer) -> NoReturn:
        async with answer:
            try:
                async with asyncio.timeout(ERROR_PAGE_SECONDS):
                    text = await answer.text(MAX_ERROR_BYTES)
            except (ProviderError, TimeoutError):  # the status says more than how its page broke off
                text = ""
        if answer.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED and self._proxy is not None:
            raise refused_by(self._proxy, self.endpoint, f"{answer.status} Proxy Authentication Required")
        try:
            body = json.loads(text)
        except ValueError:
            body = text
        after = retry_after(answer.headers)
        error = self.read_error(Refusal(self.endpoint.provider, answer.url, answer.status, body, after))
        error.headers.update(limits_told(answer.headers))
        if self._proxy is not None and isinstance(body, str):  # perhaps the proxy's own page
            error.hint = error.hint or f"It was asked through the proxy {self._proxy.shown}."
        raise error

    def in_band(self, url: str, body: Any) -> ProviderError:
        """The error that came inside a 200."""
        return self.read_error(Refusal(self.endpoint.provider, url, in_band_status(body), body))

    def _failure(self, error: Exception, url: str, named: str, limits: Limits) -> ProviderError:
        """The error for the user of what aiohttp and the clock raise before an answer."""
        provider, place = self.endpoint.provider, where(url, self._proxy)
        if isinstance(error, UNREACHABLE):
            return unreachable(self.endpoint, self._proxy, error)
        if isinstance(error, TimeoutError):
            _, setting = limits.missed(limits.first_byte)
            return timed_out(f"{named} at {place} did not begin to answer in time.", setting, provider)
        message = f"{named} at {place} broke the connection before answering: {reason(error)}"
        return ConnectionBroken(message, provider=provider)

    def _wait(self, error: ProviderError, attempt: int, deadline: float | None) -> float | None:
        """Seconds to wait before asking again, or None where that is no use."""
        if attempt == MAX_RETRIES or error.code in NEVER_RETRIED | FINAL:
            return None
        if isinstance(error, ConnectionFailed):  # on this machine a refusal is final: the service must be started
            wait = None if is_loopback(self.endpoint.base_url) else CONNECT_BACKOFF * 2**attempt
        else:
            wait = error.retry_after
        if wait is None:
            return None
        late = deadline is not None and asyncio.get_running_loop().time() + wait >= deadline
        return None if late else wait


async def _json(body: Mapping[str, Any]) -> bytes:
    """The text of a body; a long one, such as pictures make, is written beside the event loop."""
    return await asyncio.to_thread(dump_patiently, body) if is_large(body) else dump(body)


def _headers(endpoint: Endpoint) -> dict[str, str]:
    """The headers of every request. Raises ConfigError where one cannot be sent; its value is not shown."""
    headers = {"accept-encoding": "identity", "user-agent": "llamafarm"}
    if endpoint.api_key:
        headers["authorization"] = f"Bearer {endpoint.api_key}"
    if credentials := credentials_of(endpoint.base_url):
        headers["authorization"] = credentials
    headers |= {name.lower(): value for name, value in endpoint.headers}
    for name, value in headers.items():
        if not (_HEADER_NAME.fullmatch(name) and value.isascii() and value.isprintable()):
            raise ConfigError(
                f"The header {name!r} for {endpoint.provider} at {endpoint.address} holds a character that "
                "HTTP does not allow.",
                hint="Check `api_key` and `headers` of the model entry for line breaks and typographic characters.",
            )
    return headers
