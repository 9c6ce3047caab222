"""Every name that the core publishes for plugin authors; taking one away, or adding one, is done here on purpose."""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import llamafarm
import pytest
from llamafarm import http

NAMES = {
    "an open project": ["Farm", "SyncFarm", "SyncReply", "open"],
    "a plugin": ["__version__", "data_dir", "hookimpl", "pip_command"],
    "what hooks return": ["AgentHandlerSpec", "ConfigFragment", "EntryBlock", "ProviderSpec", "Section"],
    "a provider": [
        "Call",
        "Endpoint",
        "Health",
        "InstructorMode",
        "ModelEntry",
        "ModelInfo",
        "Progress",
        "Provider",
        "Pulls",
        "Removes",
        "beside_config",
    ],
    "what becomes of its parameters": ["Field", "Parameters", "note_ignored"],
    "its way to a runtime": [
        "Answer",
        "HttpUpstream",
        "NEVER_RETRIED",
        "ReadError",
        "Refusal",
        "Timeouts",
        "error_of",
        "host_and_port",
        "ignore_progress",
        "is_loopback",
        "normalize_base_url",
        "read_error",
    ],
    "its answers": ["ChunkReply", "Content", "JsonReply", "Reply", "SseReply", "read_content", "read_reply"],
    "its service": ["ProcessService", "ProcessSpec", "Service", "ServiceStatus", "token_of"],
    "an agent handler": ["AgentHandler", "Ask", "Session", "Turn"],
    "the operation table": [
        "CHAT",
        "COMPLETIONS",
        "EMBEDDINGS",
        "IMAGES",
        "IMAGE_EDITS",
        "IMAGE_VARIATIONS",
        "OPERATIONS",
        "Operation",
        "RERANK",
        "SCORE",
        "SPEECH",
        "TRANSCRIPTIONS",
        "TRANSLATIONS",
    ],
    "the wire": [
        "ChatChunk",
        "ChatRequest",
        "CompletionRequest",
        "Embedding",
        "EmbeddingRequest",
        "EmbeddingResponse",
        "ImageEditRequest",
        "ImageRequest",
        "ImageVariationRequest",
        "ImagesResponse",
        "Message",
        "RerankRequest",
        "RerankResponse",
        "ScoreRequest",
        "ScoreResponse",
        "SpeechRequest",
        "Transcription",
        "TranscriptionRequest",
        "TranslationRequest",
        "Upload",
        "sse",
    ],
    "errors": [
        "AuthenticationFailed",
        "ConfigError",
        "ConnectionBroken",
        "ConnectionFailed",
        "ContextLengthExceeded",
        "InvalidRequest",
        "LlamaFarmError",
        "ModelNotFound",
        "OperationNotSupported",
        "PluginError",
        "ProviderError",
        "ProviderTimeout",
        "ProviderUnavailable",
        "RateLimited",
        "RequestError",
        "ServiceError",
        "UpstreamError",
        "UsageError",
    ],
}

HTTP_NAMES = {
    "asking": ["HttpUpstream"],
    "what comes back": ["Answer", "SseReply", "read_content", "read_reply"],
    "what goes wrong": ["NEVER_RETRIED", "ReadError", "Refusal", "error_of"],
    "addresses": ["host_and_port", "is_loopback", "normalize_base_url"],
}


def flat(names):
    return sorted(name for group in names.values() for name in group)


def test_these_are_the_names_of_llamafarm():
    assert sorted(llamafarm.__all__) == flat(NAMES)


def test_these_are_the_names_of_llamafarm_http():
    assert sorted(http.__all__) == flat(HTTP_NAMES)


@pytest.mark.parametrize("name", flat(HTTP_NAMES))
def test_each_name_of_http_says_what_it_is(name):
    assert [*unexplained(http, name)] == []


@pytest.mark.parametrize("name", flat(NAMES))
def test_each_name_says_what_it_is(name):
    assert [*unexplained(llamafarm, name)] == []


def unexplained(home, name) -> Iterator[str]:
    """The name, where it has no docstring, and those of its public methods that have none."""
    if name == "__version__":
        return
    value = getattr(home, name)
    if inspect.ismodule(value):
        yield from (f"{name}.{one}" for one, what in vars(value).items() if is_own(value, what) and not what.__doc__)
        return
    if not inspect.isclass(value):
        if not (inspect.isfunction(value) and value.__doc__) and not explained_below(home, name):
            yield name
        return
    if not vars(value).get("__doc__"):
        yield name
    yield from (f"{name}.{method}" for method in methods(value) if not inspect.getdoc(getattr(value, method)))


def is_own(module, value) -> bool:
    """Whether a class or function is the module's own, and public."""
    named = inspect.isclass(value) or inspect.isfunction(value)
    return named and value.__module__ == module.__name__ and not value.__name__.startswith("_")


def methods(value: type) -> Iterator[str]:
    """The public methods and properties of a class that are ours."""
    for home in value.__mro__:
        if home.__module__.startswith("llamafarm"):
            kinds = (classmethod, staticmethod, property)
            own = [one for one, what in vars(home).items() if inspect.isfunction(what) or isinstance(what, kinds)]
            yield from (one for one in own if not one.startswith("_"))


@pytest.mark.parametrize("home", [llamafarm, http])
def test_help_does_not_show_the_environment_which_holds_secrets(home):
    for name in home.__all__:
        value = getattr(home, name)
        called = [value, *vars(value).values()] if inspect.isclass(value) else [value]
        for one in filter(inspect.isfunction, called):
            defaults = [parameter.default for parameter in inspect.signature(one).parameters.values()]
            assert not any(default is os.environ for default in defaults), name


def explained_below(home, name) -> bool:
    """Whether a string follows the assignment of a name, as docstrings of values do."""
    [module] = [import_module(f"{home.__name__}.{where}") for where, held in home._HOMES.items() if name in held]
    body = ast.parse(Path(module.__file__).read_text(encoding="utf-8")).body
    return any(assigns(one, name) and is_text(after) for one, after in pairwise(body))


def assigns(statement: ast.stmt, name: str) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def is_text(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
