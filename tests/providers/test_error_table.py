"""The table of errors in docs/providers.md: each cell is played, and what a user sees is compared with it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import anyio
import openai
import pytest
import yaml
from conditions import CONDITIONS, Condition
from llamafarm.cli import main
from upstreams import MODEL, api, project

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"
WHAT = (
    "wrong key",
    "wrong model",
    "context too long",
    "rate limit",
    "server down",
    "server dies in the middle",
    "time-out",
    "invalid parameter",
)
BOUND = 30.0
_CELL = re.compile(r"(?P<status>\d{3}) `(?P<code>\w+)` (?P<text>.+)")


@dataclass(frozen=True)
class Cell:
    """What the page says of one condition at one provider. text: its `…` stands for anything."""

    status: int
    code: str
    text: str

    def fits(self, message: str) -> bool:
        pattern = ".*".join(re.escape(part) for part in self.text.split("…"))
        return re.match(pattern, message, re.DOTALL) is not None


def rows() -> dict[str, dict[str, str]]:
    """The table: by condition and by provider, the text of a cell."""
    section = PAGE.read_text().partition("\n## Errors\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    head, *below = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {what: dict(zip(head[1:], cells, strict=True)) for what, *cells in below}


TABLE = rows()
CELLS = [
    pytest.param(provider, what, id=f"{provider}-{what}") for provider, known in CONDITIONS.items() for what in known
]


def cell(provider: str, what: str) -> Cell:
    found = _CELL.fullmatch(TABLE[what][provider])
    assert found, f"the page says nothing that can be checked of {what} at {provider}: {TABLE[what][provider]}"
    return Cell(int(found["status"]), found["code"], found["text"])


def test_the_table_has_every_condition_for_every_provider():
    assert list(TABLE) == list(WHAT)
    assert all(list(cells) == list(CONDITIONS) for cells in TABLE.values())


@pytest.mark.parametrize("what", WHAT)
def test_what_cannot_occur_is_said_with_its_reason_and_everything_else_is_played(what):
    for provider, said in TABLE[what].items():
        assert (what in CONDITIONS[provider]) == (not said.startswith("cannot occur: ")), f"{provider}: {said}"


@pytest.mark.anyio
@pytest.mark.parametrize(("provider", "what"), CELLS)
async def test_the_official_client_sees_what_the_table_says(provider, what, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # no runtime is installed here
    condition, said = CONDITIONS[provider][what], cell(provider, what)
    async with condition.runtime() as url:
        with api(project(provider, condition.model, url, **condition.entry), tmp_path) as root:
            async with openai.AsyncOpenAI(base_url=root, api_key="none", max_retries=0, timeout=BOUND) as client:
                for error in (await whole(client, condition), await streamed(client, condition)):
                    assert error.body["code"] == error.code == said.code
                    assert said.fits(error.body["message"]), error.body["message"]
                    if isinstance(error, openai.APIStatusError):
                        assert error.status_code == said.status


async def whole(client: openai.AsyncOpenAI, condition: Condition) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        await client.chat.completions.create(model=MODEL, **condition.asked)
    return caught.value


async def streamed(client: openai.AsyncOpenAI, condition: Condition) -> openai.APIError:
    """A status, and after the first chunk one event with the error, which ends the stream."""
    begun = False
    with pytest.raises(openai.APIError) as caught:
        async for _ in await client.chat.completions.create(model=MODEL, stream=True, **condition.asked):
            begun = True
    assert begun == condition.late
    assert isinstance(caught.value, openai.APIStatusError) != condition.late
    return caught.value


@pytest.fixture
def nothing() -> Iterator[TextIO]:
    """An input that is empty."""
    with Path(os.devnull).open() as opened:
        yield opened


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("provider", "what"),
    [
        ("ollama", "wrong model"),
        ("lemonade", "context too long"),
        ("openai", "wrong key"),
        ("universal", "server down"),
    ],
)
async def test_the_command_line_says_the_same(provider, what, nothing, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    condition, said = CONDITIONS[provider][what], cell(provider, what)
    async with condition.runtime() as url:
        entry = {"name": MODEL, "provider": provider, "model": condition.model, "base_url": url, **condition.entry}
        config = tmp_path / "llamafarm.yaml"
        config.write_text(yaml.safe_dump({"runtime": {"models": [entry]}}))
        monkeypatch.setattr("sys.argv", ["lf", "--config", str(config), "chat", "Hi"])
        monkeypatch.setattr("sys.stdin", nothing)
        code = await anyio.to_thread.run_sync(main.run, {})
    shown = capsys.readouterr()
    assert code != 0
    assert shown.out == ""
    assert said.fits(shown.err.removeprefix("Error: ")), shown.err
