"""The contract of tool sources: what every turn that calls tools relies on, wherever the tools are.

from llamafarm_kit.testing import ToolSourceContract


class TestBarn(ToolSourceContract):
    kind = "barn"
    source = "red"
    config = {"barns": {"red": {"cows": 3}}}
    calls = {"weigh": {"cow": "Rosa"}}
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from jsonschema import Draft202012Validator
from llamafarm import ToolResult, ToolSource, ToolSourceSpec
from llamafarm.config.load import load_project
from llamafarm.errors import ToolSourceError
from llamafarm.plugins.manager import PluginManager
from llamafarm.project import NO_PROJECT, Project

from llamafarm_kit.testing.contract import Contract
from llamafarm_kit.testing.handler_life import held_open

AT_ONCE = 4
Result = TypeVar("Result")


class ToolSourceContract(Contract):
    """What holds for every kind of tool source; subclass it and name yours. The plugin must be installed.

    kind: its name. source: a source that `config` declares. config: the top-level keys of llamafarm.yaml that declare
    it. calls: tools of that source which give a result, each with its arguments. endless: a tool that does not end by
    itself, with its arguments, where there is one. unreachable: top-level keys that declare the source where nobody
    is. patience: seconds that anything may take before it counts as hanging. spec: its record, where it is not
    installed. xfail: see Contract.
    """

    kind: ClassVar[str]
    source: ClassVar[str]
    config: ClassVar[Mapping[str, Any]] = {}
    calls: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    endless: ClassVar[tuple[str, Mapping[str, Any]] | None] = None
    unreachable: ClassVar[Mapping[str, Any] | None] = None
    patience: ClassVar[float] = 30.0

    pytestmark = pytest.mark.anyio

    @property
    def spec(self) -> ToolSourceSpec:
        """The record of the kind, from the plugin that is installed."""
        return PluginManager().tool_sources()[self.kind]

    @pytest.fixture
    def project(self, tmp_path: Path) -> Project:
        """A project that declares the source."""
        return self.load(tmp_path, self.config)

    @pytest.fixture
    async def connected(self, project: Project) -> AsyncIterator[ToolSource]:
        """The source, closed at the end."""
        source = self.spec.connect(project, self.source)
        yield source
        await self.soon(source.aclose())

    async def test_it_declares_its_sources_where_a_project_has_some(self, project: Project) -> None:
        """And none where the file says nothing of it."""
        assert self.source in list(self.spec.names(project))
        assert self.config == {} or self.source not in list(self.spec.names(NO_PROJECT))

    async def test_making_one_opens_nothing(self, project: Project) -> None:
        """One that no turn asks is never closed either."""
        before = held_open()
        self.spec.connect(project, self.source)
        assert not (left := held_open() - before), f"open after it was made: {', '.join(left)}"

    async def test_its_tools_have_names_and_schemas(self, connected: ToolSource) -> None:
        """Each name once, and arguments that are an object of JSON Schema, draft 2020-12."""
        tools = await self.soon(connected.list())
        names = [tool.name for tool in tools]
        assert names
        assert all(names)
        assert len(set(names)) == len(names), f"it lists a name twice: {names}"
        for tool in tools:
            Draft202012Validator.check_schema(dict(tool.parameters))
            assert tool.parameters.get("type") == "object", f"the arguments of {tool.name!r} are no object"

    async def test_each_call_gives_its_own_result(self, connected: ToolSource) -> None:
        """A text, also where several calls are under way at once, and before anybody has listed the tools."""
        assert self.calls, "name tools that give a result in `calls`"
        wanted = [(name, arguments) for name, arguments in self.calls.items() for _ in range(AT_ONCE)]
        results = await self.soon(asyncio.gather(*(connected.call(*call) for call in wanted)))
        for (name, _), result in zip(wanted, results, strict=True):
            assert isinstance(result, ToolResult)
            assert not result.is_error, f"{name}: {result.content}"

    async def test_a_tool_that_is_not_there_is_a_result_that_says_so(self, connected: ToolSource) -> None:
        """Models call what does not exist; they are told, and the turn goes on."""
        result = await self.soon(connected.call("no_such_tool", {}))
        assert result.is_error
        assert result.content.strip(), "it does not say what was wrong"

    async def test_a_call_that_is_cancelled_leaves_nothing_and_the_next_is_answered(
        self, connected: ToolSource
    ) -> None:
        """Clients go away, and calls have time limits."""
        name, arguments = self.endless or next(iter(self.calls.items()))
        await self.soon(connected.list())
        before = held_open()
        call = asyncio.ensure_future(connected.call(name, arguments))
        await asyncio.sleep(0)
        call.cancel()
        await self.soon(asyncio.wait([call]))
        assert call.cancelled() or not call.exception(), f"being cancelled, it raised {call.exception()!r}"
        await self.soon(connected.list())
        assert not (left := held_open() - before), f"open after the call: {', '.join(left)}"

    async def test_closing_it_leaves_nothing_open(self, project: Project) -> None:
        """No file, task, thread or process; it may be closed twice, and before anybody has asked it."""
        before = held_open()
        source = self.spec.connect(project, self.source)
        await self.soon(source.list())
        await self.soon(source.aclose())
        await self.soon(source.aclose())
        await self.soon(self.spec.connect(project, self.source).aclose())
        assert not (left := held_open() - before), f"open after it was closed: {', '.join(left)}"

    async def test_one_that_is_not_there_is_an_error_for_the_reader(self, tmp_path: Path) -> None:
        """ToolSourceError: it names the source, says what to do, and leaves nothing open."""
        if self.unreachable is None:
            return
        before = held_open()
        source = self.spec.connect(self.load(tmp_path, self.unreachable), self.source)
        for ask in (source.list, lambda: source.call(*next(iter(self.calls.items())))):
            with pytest.raises(ToolSourceError) as raised:
                await self.soon(ask())
            assert self.source in raised.value.message, f"it does not name the source: {raised.value.message}"
            assert raised.value.hint, "it does not say what to do"
        await self.soon(source.aclose())
        assert not (left := held_open() - before), f"open after it failed: {', '.join(left)}"

    def load(self, folder: Path, config: Mapping[str, Any]) -> Project:
        """Read a llamafarm.yaml with these keys. Raises ConfigError."""
        path = folder / "llamafarm.yaml"
        path.write_text(json.dumps({"runtime": {"models": []}, **config}), encoding="utf-8")
        return load_project(path, PluginManager())

    async def soon(self, what: Awaitable[Result]) -> Result:
        """Wait for something that must not hang."""
        try:
            async with asyncio.timeout(self.patience):
                return await what
        except TimeoutError:
            raise AssertionError(f"it hangs: nothing within {self.patience:g} s") from None
