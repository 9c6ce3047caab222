"""An accepted answer, as the content that it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llamafarm.http.answer import Answer
from llamafarm.http.upstream import HttpUpstream
from llamafarm.providers.content import Content
from llamafarm.wire.envelope import read_error


async def read_content(
    upstream: HttpUpstream, answer: Answer, check: Callable[[dict[str, Any]], None] | None = None
) -> Content:
    """Return the content that an accepted answer is. JSON is read whole, since it may hold an error.

    check: raises ProviderError for a JSON answer that is not what was asked for. Raises ProviderError, the answer
    closed, where it does, and for a web page, which answers no request.
    """
    if answer.content_type == "text/html":
        async with answer:
            raise answer.broken(f"is a web page: {await answer.text(200)}")
    media_type = answer.headers.get("content-type", "application/octet-stream")
    if answer.content_type != "application/json":
        return Content(media_type, answer)
    async with answer:
        content = await answer.content()
        body = answer.parsed_object(content)
        if read_error(body):
            raise upstream.in_band(answer.url, body)
        if check is not None:
            check(body)
        return Content.whole(content, media_type)
