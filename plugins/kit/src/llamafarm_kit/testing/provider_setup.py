"""What every part of the provider contract stands on: what an author gives, and a provider on a stage to ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, ClassVar

import pytest
from llamafarm import Call, ModelEntry, Provider, ProviderSpec
from llamafarm.errors import InvalidRequest, LlamaFarmError
from llamafarm.plugins.loader import Loader
from llamafarm.plugins.manager import PluginManager
from llamafarm.providers.base import operations
from llamafarm.providers.parameters import FORWARD_EVERYTHING, ignored_by
from llamafarm.wire import (
    CAPTION,
    CHAT,
    CLASSIFY,
    COMPLETIONS,
    DEPTH,
    DETECT,
    EMBEDDINGS,
    FEATURES,
    IMAGE_EDITS,
    IMAGE_VARIATIONS,
    IMAGES,
    NER,
    OPERATIONS,
    PICTURE_CLASSES,
    RERANK,
    SCORE,
    SEGMENT,
    SOUND_CLASSES,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    ZERO_SHOT,
    Operation,
    Upload,
    parsed,
)

from llamafarm_kit.testing.contract import Contract
from llamafarm_kit.testing.openai_scenes import MODEL, PICTURE, SOUND, SOUND_TYPE, TEXT, TOKENS, WORDS
from llamafarm_kit.testing.plugin_contract import installed
from llamafarm_kit.testing.scenes import Scene, Scenes, Stage, http_stage

QUESTION = "What do you say?"
GIVEN_PICTURE = Upload("question.png", b"a picture", "image/png")
GIVEN_SOUND = Upload("question.wav", b"a sound", "audio/wav")
PICTURES = [{"image": "YSBwaWN0dXJl"}, "data:image/png;base64,YSBwaWN0dXJl"]
SOUNDS = [{"audio": "YSBzb3VuZA=="}, "data:audio/wav;base64,YSBzb3VuZA=="]
REQUESTS: Mapping[Operation, Mapping[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": QUESTION}]},
    COMPLETIONS: {"prompt": QUESTION},
    EMBEDDINGS: {"input": ["One text.", "Another text."]},
    IMAGES: {"prompt": QUESTION},
    IMAGE_EDITS: {"image": GIVEN_PICTURE, "prompt": QUESTION},
    IMAGE_VARIATIONS: {"image": GIVEN_PICTURE},
    TRANSCRIPTIONS: {"file": GIVEN_SOUND},
    TRANSLATIONS: {"file": GIVEN_SOUND},
    SPEECH: {"input": QUESTION, "voice": "alloy"},
    SOUND_CLASSES: {"input": SOUNDS},
    RERANK: {"query": QUESTION, "documents": ["One text.", "Another text."]},
    SCORE: {"text_1": QUESTION, "text_2": ["One text.", "Another text."]},
    CLASSIFY: {"input": ["One text.", "Another text."]},
    NER: {"input": ["One text.", "Another text."]},
    PICTURE_CLASSES: {"input": PICTURES},
    ZERO_SHOT: {"input": PICTURES, "candidate_labels": ["a cow", "a hen"]},
    FEATURES: {"input": PICTURES},
    DETECT: {"input": PICTURES},
    SEGMENT: {"input": PICTURES},
    DEPTH: {"input": PICTURES},
    CAPTION: {"input": PICTURES},
}
"""The smallest request of each operation."""

TEXTUAL = tuple(operation for operation in OPERATIONS if operation.returns == "reply")
"""The operations that answer with a text, and may stream it."""


class Asking:
    """A provider on a stage. ignored: the fields of the last request that were left out, as `X-LF-Ignored` names them.

    Requests go to the provider itself, with its parameters applied as the gateway does; its service is never started.
    """

    def __init__(self, spec: ProviderSpec, entry: ModelEntry, stage: Stage) -> None:
        self.spec = spec
        self.entry = entry
        self.stage = stage
        self.provider: Provider = spec.connect(spec.endpoint(entry))
        self.operations = operations(self.provider)
        self.ignored: list[str] = []
        self._replies: list[Any] = []

    @property
    def textual(self) -> tuple[Operation, ...]:
        """The operations of this provider that may stream."""
        return tuple(operation for operation in TEXTUAL if operation in self.operations)

    async def ask(self, operation: Operation, *, deadline: float | None = None, **fields: Any) -> Any:
        """Ask for an operation; `fields` are added to its smallest request. Raises what the provider raises."""
        request = {**REQUESTS[operation], **fields}
        parameters = self.spec.parameters or FORWARD_EVERYTHING
        body, self.ignored = parameters.apply(request, operation, self.spec.name)
        call = Call(self.entry, "contract-request", deadline)
        answer = parsed(await getattr(self.provider, operation.method)({**body, "model": self.entry.model}, call))
        headers = call.headers
        if operation.returns != "value":
            self._replies.append(answer)
            headers = {**answer.headers, **headers}
        self.ignored += ignored_by(headers)
        return answer

    async def accepted(self, operation: Operation, **fields: Any) -> Any:
        """As `ask`; None where the provider refuses one of the fields, as it may."""
        try:
            return await self.ask(operation, **fields)
        except InvalidRequest as error:
            if not any(error.param == name or name in str(error) for name in fields):
                raise
            return None

    async def failure(self, operation: Operation, **fields: Any) -> LlamaFarmError:
        """The error that a request ends with, whether it is refused or its answer cannot be read to the end."""
        try:
            answer = await self.ask(operation, **fields)
            if operation.returns != "value":
                answer = await (answer.completion() if operation.returns == "reply" else answer.read())
        except LlamaFarmError as error:
            return error
        raise AssertionError(f"{operation.name} was answered, where the runtime gives no answer: {answer!r}")

    async def aclose(self) -> None:
        """Close the provider and its replies; what closing must do has tests of its own."""
        for closing in (*self._replies, self.provider):
            with suppress(Exception):
                await closing.aclose()


class ProviderSetup(Contract):
    """What an author gives.

    plugin: the entry point's name; None where `spec` is given in another way. provider: the name of the ProviderSpec.
    scenes: what the runtime does in each scene, over HTTP; a provider that does not speak HTTP overrides `stage`.
    base_path: what follows the fake's address in the entry's `base_url`. entry: further fields of each model entry.
    model, text, tokens: the model that the runtime lists, what it answers in Scene.READY, and the tokens of prompt and
    answer that it counts (None: it counts none). picture, sound: what it draws, as base64, and what it says aloud, with
    its media type. words: what its refusals say (empty: nothing). values: a better value for a field of the wire than
    the one that is made from its type. bound: seconds that a test may last.
    """

    plugin: ClassVar[str | None] = None
    provider: ClassVar[str] = ""
    scenes: ClassVar[Scenes] = {}
    base_path: ClassVar[str] = "/v1"
    entry: ClassVar[Mapping[str, Any]] = {}
    model: ClassVar[str] = MODEL
    text: ClassVar[str] = TEXT
    tokens: ClassVar[tuple[int, int] | None] = TOKENS
    picture: ClassVar[str] = PICTURE
    sound: ClassVar[tuple[str, bytes]] = (SOUND_TYPE, SOUND)
    words: ClassVar[str] = WORDS
    values: ClassVar[Mapping[str, Any]] = {}
    bound: ClassVar[float] = 20.0

    pytestmark = pytest.mark.anyio

    @pytest.fixture(autouse=True)
    def _a_data_folder_of_its_own(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """No test reads or writes what LlamaFarm keeps for the user."""
        monkeypatch.setenv("LF_DATA_DIR", str(tmp_path_factory.getbasetemp() / "llamafarm"))

    @property
    def spec(self) -> ProviderSpec:
        """The provider's record, as the installed plugin registers it."""
        loader = Loader()
        if self.plugin is not None:
            row = loader.load(installed(self.plugin)).row
            assert row.status == "active", f"the plugin {self.plugin!r} is {row.status}: {row.cause}"
        return PluginManager(loader=loader).provider(self.provider)

    def stage(self, scene: Scene) -> AbstractAsyncContextManager[Stage]:
        """A fake runtime that plays the scene; it is gone when the context manager is left."""
        return http_stage(scene, self.scenes, self.base_path)

    @asynccontextmanager
    async def asking(self, scene: Scene, **entry: Any) -> AsyncIterator[Asking]:
        """A provider on the stage of a scene. entry: further fields of the model entry."""
        async with self.stage(scene) as stage:
            fields = {"name": "contract", "provider": self.provider, "model": self.model}
            validated = self.spec.entry.model_validate({**fields, **self.entry, **stage.entry, **entry})
            asking = Asking(self.spec, validated, stage)
            try:
                async with asyncio.timeout(self.bound):
                    yield asking
            except TimeoutError:
                raise AssertionError(f"the provider has not come to an end within {self.bound:g} s") from None
            finally:
                await asking.aclose()
