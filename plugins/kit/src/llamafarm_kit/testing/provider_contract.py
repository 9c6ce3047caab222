"""The provider contract: what LlamaFarm relies on in every provider, as tests that an author subclasses.

class TestAcme(ProviderContract):
    plugin = "acme"
    provider = "acme"
    scenes = OpenAIScenes()
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from llamafarm import Health, ModelInfo
from llamafarm.errors import InvalidRequest, ModelNotFound
from llamafarm.wire import OPERATIONS, Operation

from llamafarm_kit.testing.provider_answers import ProviderAnswers
from llamafarm_kit.testing.provider_closing import ProviderClosing
from llamafarm_kit.testing.provider_failures import ProviderFailures
from llamafarm_kit.testing.provider_files import ProviderFiles
from llamafarm_kit.testing.provider_oddities import ProviderOddities
from llamafarm_kit.testing.provider_setup import Asking
from llamafarm_kit.testing.scenes import Scene
from llamafarm_kit.testing.wire_values import values_of

MISSING = "lf-no-such-model"
_BESIDES = ("describe", "list_models", "health", "aclose")
_ABOUT_THE_ANSWER = {"model", "stream", "stream_options"}
"""Fields whose effect is on the answer, or that the gateway fills in: tests of their own hold them."""
_TOGETHER = {
    "tool_choice": ("tools",),
    "parallel_tool_calls": ("tools",),
    "top_logprobs": ("logprobs",),
}
"""Fields that mean something only beside others."""


class ProviderContract(ProviderAnswers, ProviderOddities, ProviderClosing, ProviderFailures, ProviderFiles):
    """Subclass it in a test module; ProviderSetup says what to give."""

    async def test_health_says_that_the_runtime_is_up(self) -> None:
        async with self.asking(Scene.READY) as asking:
            health = await asking.provider.health()
            assert isinstance(health, Health) and health.ok, f"the runtime answers: {health}"

    @pytest.mark.parametrize("scene", [Scene.DOWN, Scene.GARBAGE], ids=str)
    async def test_health_says_what_is_wrong_and_never_raises(self, scene: Scene) -> None:
        async with self.asking(scene) as asking:
            health = await asking.provider.health()
            assert isinstance(health, Health) and not health.ok, f"the runtime does not answer: {health}"
            assert health.detail, "`detail` does not say why"

    async def test_it_lists_the_models_that_the_runtime_has(self) -> None:
        async with self.asking(Scene.READY) as asking:
            models = await asking.provider.list_models()
            assert self.model in [info.id for info in models], f"{self.model!r} is not listed: {models}"
            assert not (wrong := [info for info in models if not _is_well_formed(info)]), f"wrong types: {wrong}"

    async def test_it_describes_a_model_that_the_runtime_has(self) -> None:
        async with self.asking(Scene.READY) as asking:
            info = await asking.provider.describe(self.model)
            assert _is_well_formed(info) and info.id == self.model, f"not what is known of {self.model!r}: {info}"

    async def test_describing_a_model_that_is_missing_raises_model_not_found(self) -> None:
        async with self.asking(Scene.READY) as asking:
            with pytest.raises(ModelNotFound) as caught:
                await asking.provider.describe(MISSING)
            assert MISSING in str(caught.value), f"it does not name {MISSING!r}: {caught.value}"

    async def test_its_operations_are_exactly_what_it_implements(self) -> None:
        async with self.asking(Scene.READY) as asking:
            assert asking.operations, "it can do nothing: it has no method of an operation"
            assert not (found := [*_odd_methods(asking.provider)]), "; ".join(found)

    @pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
    async def test_every_field_is_sent_or_named_as_ignored_or_refused(self, operation: Operation) -> None:
        """The fields are those of the wire's types; a value has reached the runtime when its request has changed."""
        async with self.asking(Scene.READY) as asking:
            if operation in asking.operations:
                values = {**values_of(operation), **{name: (value,) for name, value in self.values.items()}}
                await asking.ask(operation)  # what only a first request does is done
                plain = {beside: await _plain(asking, operation, beside) for beside in {(), *_TOGETHER.values()}}
                lost = [
                    f"{name}={value!r}"
                    for name in sorted(operation.fields - _ABOUT_THE_ANSWER)
                    for value in values[name]
                    if await _is_lost(asking, operation, {name: value}, plain[_TOGETHER.get(name, ())])
                ]
                assert not lost, f"dropped without a word: {', '.join(lost)}"


@dataclass(frozen=True)
class _Plain:
    """What a request with some fields looks like to the runtime; None where the provider refuses them."""

    fields: dict[str, Any]
    seen: list[Any] | None


async def _plain(asking: Asking, operation: Operation, names: tuple[str, ...]) -> _Plain:
    known = values_of(operation)
    fields = {name: known[name][0] for name in names if name in known}
    try:
        first, second = [await _seen_of(asking, operation, fields) for _ in range(2)]
    except InvalidRequest:
        return _Plain(fields, None)
    assert first == second, f"two equal requests must look equal to the runtime: {first}, then {second}"
    return _Plain(fields, first)


async def _is_lost(asking: Asking, operation: Operation, field: dict[str, Any], plain: _Plain) -> bool:
    """Whether a field has no effect on what the runtime sees, and nobody says so."""
    [name] = field
    try:
        seen = await _seen_of(asking, operation, {**plain.fields, **field})
    except InvalidRequest as error:
        return not any(error.param == one or one in str(error) for one in (name, *plain.fields))
    return seen == plain.seen and name not in asking.ignored


async def _seen_of(asking: Asking, operation: Operation, fields: dict[str, Any]) -> list[Any]:
    """What reaches the runtime of a request with these fields, read to its end, and the vectors that come of it.

    A provider may do by itself what a field asks of vectors: their encoding, for a runtime that knows one alone.
    """
    before = len(asking.stage.seen())
    answer = await asking.ask(operation, **fields)
    if operation.returns == "value":
        return [*asking.stage.seen()[before:], answer]
    await (answer.completion() if operation.returns == "reply" else answer.read())
    return asking.stage.seen()[before:]


def _is_well_formed(info: Any) -> bool:
    """Whether it is a ModelInfo whose fields are of their types."""
    return (
        isinstance(info, ModelInfo)
        and bool(info.id)
        and (info.features is None or isinstance(info.features, frozenset))
        and (info.context_length is None or type(info.context_length) is int)
        and (info.size_bytes is None or type(info.size_bytes) is int)
        and info.loaded in (None, True, False)
    )


def _odd_methods(provider: Any) -> Iterator[str]:
    """What is wrong with the methods of a provider, in words."""
    known = {row.method for row in OPERATIONS} | {"count_tokens", "count_text_tokens"}
    for name in _BESIDES:
        if not inspect.iscoroutinefunction(getattr(provider, name, None)):
            yield f"it has no `async def {name}`"
    for name, method in inspect.getmembers(provider, callable):
        parameters = () if name.startswith("_") else _parameters(method)
        if name in known and not (inspect.iscoroutinefunction(method) and len(parameters) == 2):
            yield f"`{name}` is not `async def {name}(self, request, call)`"
        if name not in known and parameters == ("request", "call"):
            yield f"`{name}` is no method that anybody calls; there is {', '.join(sorted(known))}"


def _parameters(method: Any) -> tuple[str, ...]:
    """The parameters of a method that must be given."""
    try:
        found = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(one.name for one in found if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD)
