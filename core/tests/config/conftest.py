"""A farm of two providers with blocks and sections of their own, really installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from llamafarm.config import load_project
from llamafarm.errors import ConfigError
from llamafarm.plugins.manager import PluginManager
from llamafarm.project import Project

OFFICIAL = (
    "llamafarm-agents",
    "llamafarm-lemonade",
    "llamafarm-ollama",
    "llamafarm-openai-compat",
    "llamafarm-rag",
    "llamafarm-universal",
)

FARM = """
    import llamafarm
    from typing import Annotated, Literal
    from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel

    class Strict(BaseModel):
        model_config = ConfigDict(extra="forbid")

    class Barn(Strict):
        colour: Literal["red", "white"] = "red"
        height: float = 3.0
        open: bool = False

    class Tool(Strict):
        name: str
        weight: float | None = None

    class Doors(Strict):
        doors: int = Field(default=1, ge=1, description="How many.")

    class Shed(Doors):
        tools: list[Tool] = []
        place: Annotated[str, AfterValidator(llamafarm.beside_config)] = ""

    Path = Annotated[str, AfterValidator(llamafarm.beside_config)]

    class CowEntry(llamafarm.ModelEntry):
        stalls: int = Field(default=1, ge=0)
        barn: Barn | None = None
        meadow: Path | None = None
        tools: list[Tool] = []

        def serves(self, operation):
            return False if self.stalls == 0 else None

        def remarks(self):
            if self.stalls > 9:
                yield "stalls", "no barn has so many"

        def variants(self):
            if any(tool.name == "broken" for tool in self.tools):
                raise RuntimeError("it fell apart")
            return [self.variant(tool.name) for tool in self.tools]

    class Entry(llamafarm.ModelEntry):
        pass

    STRICT = llamafarm.Parameters(
        fields={"n": llamafarm.Field("refused", "one egg a day", (1,)), "max_tokens": llamafarm.Field(least=-1)},
        native={"chat": frozenset({"grain"})},
        forward_unknown=False,
    )

    def spec(name, entry, parameters=None):
        return llamafarm.ProviderSpec(
            name=name,
            summary="made for a test",
            entry=entry,
            endpoint=lambda one: llamafarm.Endpoint(name, one.base_url or "http://127.0.0.1:9/v1"),
            connect=lambda endpoint: None,
            parameters=parameters,
        )

    @llamafarm.hookimpl
    def register_providers():
        return [spec("cow", CowEntry), spec("hen", Entry, STRICT)]

    class Shearing(Strict):
        blades: int = Field(ge=1)
        wool: Barn = Barn()

    class Herd(Strict):
        other: str = "b"

    def alone(options, project, entry):
        if options.other == entry.name:
            raise RuntimeError("it went in circles")
        return filter(None, [project.objection(options.other, llamafarm.wire.EMBEDDINGS)])

    @llamafarm.hookimpl
    def register_agent_handlers():
        return [
            llamafarm.AgentHandlerSpec(
                "shear", "made for a test", lambda options: None, options=Shearing, fields={"wool": int}
            ),
            llamafarm.AgentHandlerSpec("plain", "made for a test", lambda options: None),
            llamafarm.AgentHandlerSpec("herd", "made for a test", lambda options: None, options=Herd, check=alone),
        ]

    class Meadow(Strict):
        model: str
        provider: str = "cow"
        name: str = "grass"
        needs: str | None = None
        wrong: bool = False

    class Meadows(RootModel[list[Meadow]]):
        pass

    def grazed(meadows, models):
        for number, meadow in enumerate(meadows.root):
            if meadow.wrong:
                raise RuntimeError("the fence is open")
            if meadow.model not in (entry.model for entry in models):
                yield (number,), {"name": meadow.name, "provider": meadow.provider, "model": meadow.model}

    def lacking(meadows, project):
        for number, meadow in enumerate(meadows.root):
            if meadow.needs and (lack := project.objection(meadow.needs, llamafarm.wire.EMBEDDINGS)):
                yield (number, "needs"), lack

    @llamafarm.hookimpl
    def register_config_fragments():
        return [
            llamafarm.ConfigFragment(llamafarm.Section("shed"), Shed),
            llamafarm.ConfigFragment(llamafarm.Section("meadows"), Meadows, entries=grazed, check=lacking),
            llamafarm.ConfigFragment(llamafarm.EntryBlock("stall", provider="cow"), Doors),
            llamafarm.ConfigFragment(llamafarm.EntryBlock("hay"), Doors),
        ]
"""


@pytest.fixture
def plugins(install) -> PluginManager:
    """The core's plugin and the farm, whatever else is installed."""
    install("acme-farm", FARM)
    return PluginManager(environ={}, disabled=OFFICIAL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    place = tmp_path / "my farm"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def load(plugins, folder) -> Callable[..., Project]:
    """load(text, **variables): the project of a llamafarm.yaml with that text."""

    def run(text: str | bytes, name: str = "llamafarm.yaml", **environ: str) -> Project:
        path = folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_project(path, plugins, environ=environ)

    return run


@pytest.fixture
def refused(load) -> Callable[..., list[str]]:
    """refused(text): the lines of the error that the text is refused with."""

    def run(text: str | bytes, name: str = "llamafarm.yaml", **environ: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, name, **environ)
        return str(caught.value).split("\n")

    return run
