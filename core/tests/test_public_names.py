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
from llamafarm.lazy import homes

PUBLIC = {
    "llamafarm": [
        "AgentHandler",
        "AgentHandlerSpec",
        "AtHand",
        "Ask",
        "Call",
        "ChunkReply",
        "ChatFlag",
        "ConfigFragment",
        "Content",
        "CountsTextTokens",
        "CountsTokens",
        "DescribesEntries",
        "Endpoint",
        "EntryBlock",
        "Example",
        "Farm",
        "Field",
        "Health",
        "InstructorMode",
        "JsonReply",
        "KeepsFiles",
        "ModelEntry",
        "ModelInfo",
        "Parameters",
        "Progress",
        "Project",
        "Provider",
        "ProviderSpec",
        "Pulls",
        "Removes",
        "Reply",
        "RouteSpec",
        "Section",
        "Session",
        "SyncFarm",
        "Timeouts",
        "Tool",
        "ToolResult",
        "ToolSource",
        "ToolSourceSpec",
        "ToolSources",
        "Turn",
        "__version__",
        "all_of",
        "beside_config",
        "data_dir",
        "errors",
        "hookimpl",
        "http",
        "open",
        "pip_command",
        "services",
        "web",
        "wire",
    ],
    "llamafarm.cli": [
        "TableRow",
        "ago",
        "beside_cwd",
        "counted",
        "cut",
        "open_farm",
        "plain",
        "print_json",
        "print_table",
        "read_table_file",
        "size",
    ],
    "llamafarm.http": [
        "Answer",
        "HttpUpstream",
        "NEVER_RETRIED",
        "ReadError",
        "Refusal",
        "error_of",
        "host_and_port",
        "is_loopback",
        "normalize_base_url",
        "note_ignored",
        "read_content",
        "read_reply",
        "trusted_certificates",
    ],
    "llamafarm.services": ["ProcessService", "ProcessSpec", "Service", "ServiceStatus", "token_of"],
    "llamafarm.web": [
        "BodyEndpoint",
        "EventStream",
        "Guard",
        "Names",
        "PassingAnswer",
        "Server",
        "body_pieces",
        "check_type",
        "error_response",
        "is_loopback_host",
        "json_answer",
        "listen",
        "live_route",
        "read_form",
        "read_object",
        "request_id_of",
        "require_key",
        "run",
        "url_of",
    ],
    "llamafarm.wire": [
        "BodyError",
        "CAPTION",
        "CHAT",
        "CLASSIFY",
        "COMPLETIONS",
        "CaptionRequest",
        "CaptionResponse",
        "ChatChunk",
        "ChatCompletion",
        "ChatRequest",
        "Choice",
        "Classification",
        "ClassifyRequest",
        "ClassifyResponse",
        "Completion",
        "CompletionChoice",
        "CompletionRequest",
        "DEPTH",
        "DETECT",
        "Delta",
        "DepthRequest",
        "DepthResponse",
        "DetectRequest",
        "DetectResponse",
        "EMBEDDINGS",
        "Embedding",
        "EmbeddingRequest",
        "EmbeddingResponse",
        "Entities",
        "Entity",
        "FEATURES",
        "FeaturesRequest",
        "FeaturesResponse",
        "FinishReason",
        "IMAGES",
        "IMAGE_EDITS",
        "IMAGE_VARIATIONS",
        "ImageEditRequest",
        "ImageRequest",
        "ImageVariationRequest",
        "ImagesResponse",
        "Message",
        "NER",
        "NerRequest",
        "NerResponse",
        "OPERATIONS",
        "Operation",
        "PICTURE_CLASSES",
        "PictureClassesRequest",
        "PictureClassesResponse",
        "RERANK",
        "RerankRequest",
        "RerankResponse",
        "SCORE",
        "SEGMENT",
        "SOUND_CLASSES",
        "SPEECH",
        "ScoreRequest",
        "ScoreResponse",
        "SegmentRequest",
        "SegmentResponse",
        "SoundClassesRequest",
        "SoundClassesResponse",
        "SpeechRequest",
        "TRANSCRIPTIONS",
        "TRANSLATIONS",
        "ToolCallDelta",
        "Transcription",
        "TranscriptionRequest",
        "TranslationRequest",
        "Unparsed",
        "Upload",
        "Usage",
        "ZERO_SHOT",
        "ZeroShotRequest",
        "dump",
        "error_envelope",
        "parse_object",
        "parsed",
        "read_error",
        "sse",
    ],
    "llamafarm.errors": [
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
        "ToolSourceError",
        "UpstreamError",
        "UsageError",
    ],
}
EACH_NAME = [(module, name) for module, names in PUBLIC.items() for name in names]


@pytest.mark.parametrize("module", PUBLIC)
def test_these_are_the_names_of_each_public_module(module):
    assert sorted(import_module(module).__all__) == sorted(PUBLIC[module])


@pytest.mark.parametrize(("module", "name"), EACH_NAME)
def test_each_name_says_what_it_is(module, name):
    assert [*unexplained(import_module(module), name)] == []


@pytest.mark.parametrize(
    "name", ["HttpUpstream", "ModelNotFound", "ProcessService", "ChatRequest", "normalize_base_url"]
)
def test_a_name_that_stood_in_llamafarm_before_is_still_found_there(name):
    assert getattr(llamafarm, name) is not None
    assert name not in llamafarm.__all__


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


@pytest.mark.parametrize("module", PUBLIC)
def test_help_does_not_show_the_environment_which_holds_secrets(module):
    home = import_module(module)
    for name in home.__all__:
        value = getattr(home, name)
        called = [value, *vars(value).values()] if inspect.isclass(value) else [value]
        for one in filter(inspect.isfunction, called):
            defaults = [parameter.default for parameter in inspect.signature(one).parameters.values()]
            assert not any(default is os.environ for default in defaults), name


def explained_below(home, name) -> bool:
    """Whether a string follows the assignment of a name, as docstrings of values do."""
    module = import_module(homes(home.__file__)[name])
    body = ast.parse(Path(module.__file__).read_text(encoding="utf-8")).body
    return any(assigns(one, name) and is_text(after) for one, after in pairwise(body))


def assigns(statement: ast.stmt, name: str) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def is_text(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
