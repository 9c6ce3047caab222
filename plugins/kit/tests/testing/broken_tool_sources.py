"""Tool sources that each break one promise and keep all others; test_tool_source_contract.py tries them."""

from __future__ import annotations

import asyncio

from llamafarm import Tool, ToolResult, ToolSourceSpec
from llamafarm.errors import ToolSourceError
from llamafarm_kit.testing.tool_source_contract import ToolSourceContract

WEIGH = Tool("weigh", "The weight of a cow.", {"type": "object", "properties": {"cow": {"type": "string"}}})


class Barn:
    """A source that holds a task open while it is connected. gone: whether nobody is there."""

    def __init__(self, *, gone: bool = False) -> None:
        self.gone = gone
        self.task: asyncio.Task[None] | None = None

    async def list(self) -> list[Tool]:
        self.connect()
        return [WEIGH]

    async def call(self, name, arguments) -> ToolResult:
        self.connect()
        if name == "sleep":
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        if name != "weigh":
            return ToolResult(f"There is no tool {name!r}.", is_error=True)
        return ToolResult(f"{arguments['cow']} weighs 640 kg.")

    def connect(self) -> None:
        if self.gone:
            raise ToolSourceError("Nobody is in the barn 'red'.", hint="Open the door.")
        if self.task is None:
            self.task = asyncio.create_task(asyncio.Event().wait(), name="the barn")

    async def aclose(self) -> None:
        task, self.task = self.task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])


class Case(ToolSourceContract):
    """Declares the barn without a section of llamafarm.yaml: the plugin is not installed."""

    __test__ = False
    source = "red"
    calls = {"weigh": {"cow": "Rosa"}}
    endless = ("sleep", {})
    unreachable = {"version": "v1"}
    barn = Barn
    patience = 2.0

    @property
    def spec(self) -> ToolSourceSpec:
        return ToolSourceSpec("barn", "made for a test", self.names, self.connect)

    def names(self, project):
        return ["red"]

    def connect(self, project, name):
        return type(self).barn(gone="version" in project.raw)


class TestSound(Case):
    __test__ = True


class TestDeclaresNothing(Case):
    __test__ = True

    def names(self, project):
        return []


class OpensAtOnce(Barn):
    def __init__(self, *, gone: bool = False) -> None:
        super().__init__(gone=gone)
        if not gone:
            self.connect()


class TestOpensAtOnce(Case):
    """Its own task ends with the test."""

    __test__ = True
    barn = OpensAtOnce

    def connect(self, project, name):
        made = super().connect(project, name)
        asyncio.get_running_loop().call_later(0.2, lambda: made.task and made.task.cancel())
        return made


class ListsTwice(Barn):
    async def list(self):
        return 2 * await super().list()


class TestListsTwice(Case):
    __test__ = True
    barn = ListsTwice


class FailsWhenBusy(Barn):
    busy = 0

    async def call(self, name, arguments):
        self.busy += 1
        try:
            if self.busy > 2:
                return ToolResult("Too much at once.", is_error=True)
            return await super().call(name, arguments)
        finally:
            self.busy -= 1


class TestFailsWhenBusy(Case):
    __test__ = True
    barn = FailsWhenBusy


class KnowsEveryTool(Barn):
    async def call(self, name, arguments):
        return await super().call("weigh" if name == "no_such_tool" else name, {"cow": "Rosa", **arguments})


class TestKnowsEveryTool(Case):
    __test__ = True
    barn = KnowsEveryTool


class CallsOn(Barn):
    """A call that is cancelled goes on for a second."""

    async def call(self, name, arguments):
        return await asyncio.shield(asyncio.create_task(self.slowly(name, arguments), name="a call"))

    async def slowly(self, name, arguments):
        if name == "sleep":
            await asyncio.sleep(1)
        return await super().call("weigh", arguments) if name == "sleep" else await super().call(name, arguments)


class TestCallsOn(Case):
    __test__ = True
    barn = CallsOn


class StaysOpen(Barn):
    async def aclose(self) -> None:
        if self.task is not None:
            asyncio.get_running_loop().call_later(0.2, self.task.cancel)
        self.task = None


class TestStaysOpen(Case):
    __test__ = True
    barn = StaysOpen


class SaysNothingOfItself(Barn):
    def connect(self) -> None:
        if self.gone:
            raise ToolSourceError("Nobody is there.")
        super().connect()


class TestSaysNothingOfItself(Case):
    __test__ = True
    barn = SaysNothingOfItself


class TestReplacesATest(Case):
    __test__ = True

    async def test_making_one_opens_nothing(self, project):
        pass
