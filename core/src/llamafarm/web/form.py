"""The body of a request that carries files: a form, read once, in which each part is a text or a file."""

from __future__ import annotations

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from llamafarm.errors import RequestError
from llamafarm.web.body import bounded, check_encoding, media_type_of
from llamafarm.wire.upload import Upload


async def read_form(request: Request, *, limit: int, limit_hint: str | None = None) -> list[tuple[str, str | Upload]]:
    """The parts of a `multipart/form-data` body of at most `limit` bytes, in their order.

    Raises RequestError: 415 for another type, 413 for a larger one, 400 for what is not a form; and starlette's
    ClientDisconnect where the client goes away before its body is here.
    """
    _check_type(request)
    parser = _Parser(request.headers, bounded(request, limit, limit_hint), max_part_size=limit)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise RequestError(f"The body is not a form: {error.message}", code="invalid_form") from None
    try:
        if not parser.ended:
            raise RequestError("The form breaks off: its last boundary is missing.", code="invalid_form")
        return [(name, await _part(value)) for name, value in form.multi_items()]
    finally:
        await form.close()


class _Parser(MultiPartParser):
    """ended: whether the form's last boundary has come; without it the last part may be missing or cut."""

    ended = False

    def on_end(self) -> None:
        self.ended = True


async def _part(value: str | UploadFile) -> str | Upload:
    if isinstance(value, str):
        return value
    kind = value.content_type or "application/octet-stream"
    return Upload(value.filename or "file", await value.read(), kind)


def _check_type(request: Request) -> None:
    kind = media_type_of(request)
    if kind != "multipart/form-data":
        raise RequestError(
            f"The content type is {kind!r}." if kind else "The body has no content type.",
            hint="Send a form with files: `Content-Type: multipart/form-data` with its boundary.",
            status=415,
            code="unsupported_media_type",
        )
    check_encoding(request)
