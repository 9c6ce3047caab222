"""The server's routes, and what every request passes before them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

from llamafarm.web import BodyEndpoint, Guard, Names, is_loopback_host, live_route, read_object
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from llamafarm_universal.media.form import FormLimits
from llamafarm_universal.media.formats import KINDS, Kind
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.media.spool import Spool
from llamafarm_universal.server import vision
from llamafarm_universal.server.activity import ActivityMiddleware
from llamafarm_universal.server.bodies import Bodies, HeldBody
from llamafarm_universal.server.body import parse_fields
from llamafarm_universal.server.chat import chat, count
from llamafarm_universal.server.classes import classify, find_entities
from llamafarm_universal.server.completions import complete
from llamafarm_universal.server.embeddings import count_texts, embed
from llamafarm_universal.server.fields import Parsed, Table
from llamafarm_universal.server.files import pull, remove
from llamafarm_universal.server.form_fields import parse_media_form
from llamafarm_universal.server.health import health
from llamafarm_universal.server.images import edit, fetch, vary
from llamafarm_universal.server.images import generate as draw
from llamafarm_universal.server.media import body_limit
from llamafarm_universal.server.metrics import CountedRequests, metrics
from llamafarm_universal.server.models import describe, get_model, list_models, load, unload
from llamafarm_universal.server.operations import operate
from llamafarm_universal.server.runtime import Runtime
from llamafarm_universal.server.scores import rerank, score
from llamafarm_universal.server.settings import Settings
from llamafarm_universal.server.sounds import classify_sounds
from llamafarm_universal.server.speech import speak
from llamafarm_universal.server.tables import vision as vision_tables
from llamafarm_universal.server.tables.audio import SOUND_CLASSES, SPEECH
from llamafarm_universal.server.tables.encode import CLASSIFY, COUNT_TEXTS, EMBEDDINGS, NER, RERANK, SCORE
from llamafarm_universal.server.tables.images import IMAGES
from llamafarm_universal.server.tables.models import DESCRIBE, LOAD, OPERATION, PULL, UNLOAD
from llamafarm_universal.server.tables.text import CHAT, COMPLETIONS
from llamafarm_universal.server.transcriptions import transcribe, translate
from llamafarm_universal.server.upload import MediaEndpoint, SpooledEndpoint, Upload, UploadEndpoint

FORM_FILES = 16
"""So many of one form; JSON takes more, each as its address or small."""
Handler = Callable[[Request, Parsed], Awaitable[Response]]
Uploaded = Callable[[Request, Upload], Awaitable[Response]]


VISION: tuple[tuple[str, Handler, Table], ...] = (
    ("classify", vision.classify, vision_tables.PICTURE_CLASSES),
    ("zero-shot", vision.zero_shot, vision_tables.ZERO_SHOT),
    ("features", vision.features, vision_tables.FEATURES),
    ("detect", vision.detect, vision_tables.DETECT),
    ("segment", vision.segment, vision_tables.SEGMENT),
    ("depth", vision.depth, vision_tables.DEPTH),
    ("caption", vision.caption, vision_tables.CAPTION),
)
"""What can be asked about pictures."""


def create_app(runtime: Runtime) -> Guard:
    """Return the application; its lifespan starts and ends the engine host."""

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[dict[str, Runtime]]:
        async with runtime.running():
            yield {"runtime": runtime}

    activity = Middleware(ActivityMiddleware, activity=runtime.activity)
    # A redirect to the path with a slash would be built from the Host header.
    settings = runtime.settings
    counted = Middleware(CountedRequests, counts=runtime.requests)
    every = routes(settings.max_body_bytes, settings.options.media, runtime.bodies, runtime.spool)
    inside = Router(every, redirect_slashes=False, lifespan=lifespan, middleware=[activity, counted])
    return Guard(inside, key=settings.api_key, names=_names(settings))


def routes(limit: int, media: MediaSettings, bodies: Bodies, spool: Spool) -> list[Route]:
    """All routes.

    limit: how many bytes of JSON one request may have. media: how large the pictures in it, and uploaded files, may be.
    bodies: those of all requests together. spool: where uploaded files go.
    """

    def reads(table: Table, limit: int = limit) -> Callable[[Request], Awaitable[Parsed]]:
        return partial(read_object, limit=limit, parse=partial(parse_fields, table=table))

    def takes(handler: Handler, table: Table) -> HeldBody:
        return HeldBody(BodyEndpoint(handler, reads(table)), bodies)

    def takes_pictures(handler: Handler, table: Table) -> HeldBody:
        return HeldBody(BodyEndpoint(handler, reads(table, body_limit(limit, media))), bodies)

    def takes_conversations(handler: Handler, table: Table) -> HeldBody:
        """With media of each kind."""
        largest = max(body_limit(limit, media, kind) for kind in KINDS)
        return HeldBody(BodyEndpoint(handler, reads(table, largest)), bodies)

    def takes_media(handler: Handler, table: Table, kind: Kind) -> MediaEndpoint:
        """As JSON, or as a form with files."""

        async def answer_form(request: Request, upload: Upload) -> Response:
            return await handler(request, parse_media_form(upload.parts, table, kind))

        of_json = HeldBody(BodyEndpoint(handler, reads(table, body_limit(limit, media, kind))), bodies)
        return MediaEndpoint(of_json, UploadEndpoint(answer_form, spool, FormLimits.of(kind, media, files=FORM_FILES)))

    def takes_sound(handler: Uploaded) -> UploadEndpoint:
        return UploadEndpoint(handler, spool, FormLimits.of("sound", media))

    def takes_files(handler: Uploaded) -> UploadEndpoint:
        return UploadEndpoint(handler, spool, FormLimits.of("picture", media, files=2))

    def takes_spooled(handler: Callable[..., Awaitable[Response]], table: Table) -> HeldBody:
        return HeldBody(SpooledEndpoint(handler, reads(table)), bodies)

    return [
        Route("/health", health, methods=["GET"]),
        live_route(),
        Route("/metrics", metrics, methods=["GET"]),
        Route("/v1/chat/completions", takes_conversations(chat, CHAT), methods=["POST"]),
        Route("/v1/chat/completions/input_tokens", takes_conversations(count, CHAT), methods=["POST"]),
        Route("/v1/completions", takes(complete, COMPLETIONS), methods=["POST"]),
        Route("/v1/embeddings", takes_pictures(embed, EMBEDDINGS), methods=["POST"]),
        Route("/v1/embeddings/input_tokens", takes(count_texts, COUNT_TEXTS), methods=["POST"]),
        Route("/v1/rerank", takes(rerank, RERANK), methods=["POST"]),
        Route("/v1/score", takes(score, SCORE), methods=["POST"]),
        Route("/v1/classify", takes(classify, CLASSIFY), methods=["POST"]),
        Route("/v1/ner", takes(find_entities, NER), methods=["POST"]),
        Route("/v1/audio/speech", takes_spooled(speak, SPEECH), methods=["POST"]),
        Route("/v1/audio/transcriptions", takes_sound(transcribe), methods=["POST"]),
        Route("/v1/audio/translations", takes_sound(translate), methods=["POST"]),
        Route("/v1/audio/classify", takes_media(classify_sounds, SOUND_CLASSES, "sound"), methods=["POST"]),
        Route("/v1/images/generations", takes_spooled(draw, IMAGES), methods=["POST"]),
        Route("/v1/images/edits", takes_files(edit), methods=["POST"]),
        Route("/v1/images/variations", takes_files(vary), methods=["POST"]),
        Route("/v1/images/files/{name}", fetch, methods=["GET"]),
        Route("/v1/operations/{operation}", takes_spooled(operate, OPERATION), methods=["POST"]),
        *(
            Route(f"/v1/vision/{name}", takes_media(handler, table, "picture"), methods=["POST"])
            for name, handler, table in VISION
        ),
        Route("/v1/models", list_models, methods=["GET"]),
        Route("/v1/models/describe", takes(describe, DESCRIBE), methods=["POST"]),
        Route("/v1/models/load", takes(load, LOAD), methods=["POST"]),
        Route("/v1/models/unload", takes(unload, UNLOAD), methods=["POST"]),
        Route("/v1/models/pull", takes(pull, PULL), methods=["POST"]),
        Route("/v1/models/{name:path}", get_model, methods=["GET"]),
        Route("/v1/models/{name:path}", remove, methods=["DELETE"]),
    ]


def _names(settings: Settings) -> Names | None:
    """On this machine alone: any page of it may ask, and no other. Elsewhere the key protects."""
    if not is_loopback_host(settings.host):
        return None
    return Names(is_loopback_host, _is_local_page, "Use http://127.0.0.1 or http://localhost.")


def _is_local_page(origin: str) -> bool:
    try:
        return is_loopback_host(urlsplit(origin).hostname or "")
    except ValueError:
        return False
