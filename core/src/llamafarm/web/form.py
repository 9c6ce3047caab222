"""The body of a request that carries files: a form, read once, in which each part is a text or a file."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from llamafarm.errors import RequestError
from llamafarm.web.body import BodyLimit, body_pieces, check_type
from llamafarm.wire.upload import Upload


async def read_form(
    request: Request, *, limit: int | None = None, limit_hint: str | None = None
) -> list[tuple[str, str | Upload]]:
    """The parts of a `multipart/form-data` body of at most `limit` bytes, in their order.

    limit, limit_hint: as for `read_object`.

    Raises RequestError: 415 for another type, 413 for a larger one, 400 for what is not a form; and starlette's
    ClientDisconnect where the client goes away before its body is here.
    """
    hint = "Send a form with files: `Content-Type: multipart/form-data` with its boundary."
    check_type(request, "multipart/form-data", hint)
    try:
        form = await _Parser(request, BodyLimit.of(request, limit, limit_hint)).parse()
    except MultiPartException as error:
        raise RequestError(f"The body is not a form: {error.message}", code="invalid_form") from None
    try:
        return [(name, await _part(value)) for name, value in form.multi_items()]
    finally:
        await form.close()


class _Parser(MultiPartParser):
    """Refuses a form that ends before its last boundary: starlette takes what came for all there is."""

    def __init__(self, request: Request, limit: BodyLimit) -> None:
        pieces = self._whole(body_pieces(request, limit.size, limit.hint))
        super().__init__(request.headers, pieces, max_part_size=limit.size)
        self._ended = False

    def on_end(self) -> None:
        self._ended = True

    async def _whole(self, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        async for piece in pieces:
            yield piece
        if not self._ended:
            raise MultiPartException("It breaks off: its last boundary is missing.")


async def _part(value: str | UploadFile) -> str | Upload:
    if isinstance(value, str):
        return value
    kind = value.content_type or "application/octet-stream"
    return Upload(value.filename or "file", await value.read(), kind)
