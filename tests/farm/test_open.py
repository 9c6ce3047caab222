"""LlamaFarm from Python: a project is opened by its file, asynchronously or in a script, and asked."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import llamafarm
import pytest
from llamafarm.errors import ConfigError, ModelNotFound, RequestError, UsageError

HELLO = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def opened(farm, echo):
    """What opens a project with one model, whose server says again what it is told."""
    farm.write(
        f"""
        name: school
        runtime:
          models:
            echo: {{provider: openai, model: echo, base_url: "{echo.url}/v1", api_key: none}}
            bad: {{provider: nobody, model: x}}
        """
    )
    environ = {**os.environ, "LF_DATA_DIR": str(farm.folder / "data")}
    return lambda config=farm.folder: llamafarm.open(config, environ=environ)


async def ask(opened, **given) -> str:
    async with opened() as farm:
        reply = await farm.ask("chat", HELLO, **given)
        async with asyncio.timeout(20):
            return await reply.text()


def test_three_lines_ask_a_model(opened):
    assert asyncio.run(ask(opened)) == "You said: hello"


def test_the_file_itself_may_be_named(opened, farm):
    async def project():
        async with opened(farm.folder / "llamafarm.yaml") as opened_farm:
            return opened_farm.project.name

    assert asyncio.run(project()) == "school"


def test_without_a_name_the_nearest_file_is_opened(opened, farm, monkeypatch):
    (farm.folder / "below").mkdir()
    monkeypatch.chdir(farm.folder / "below")
    assert asyncio.run(ask(lambda: opened(None))) == "You said: hello"


def test_a_folder_without_a_configuration_is_an_error_with_the_remedy(opened, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"no llamafarm.yaml in .*empty") as error, opened(tmp_path / "empty"):
        pass
    assert "lf init" in str(error.value)


def test_a_script_needs_no_event_loop(opened):
    with opened() as farm:
        assert [row["id"] for row in farm.models()] == ["echo", "bad"]
        assert farm.preview(HELLO).request == {**HELLO, "model": "echo"}
        assert farm.ask("chat", HELLO, model="echo").text() == "You said: hello"
        chunks = [*farm.ask("chat", {**HELLO, "stream": True})]
        assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == "You said: hello"
        reply = farm.ask("chat", HELLO)
        assert reply.completion()["choices"][0]["finish_reason"] == "stop"
        reply.close()
        assert farm.count_tokens(["hello"], model="echo") is None, "its server has no way to say it"


def test_leaving_a_stream_early_in_a_script_closes_it(opened):
    with opened() as farm:
        for _chunk in farm.ask("chat", {"messages": [{"role": "user", "content": "go on"}], "stream": True}):
            break
        assert farm.ask("chat", HELLO).text() == "You said: hello"


def test_errors_reach_the_script_as_they_are(opened):
    with opened() as farm:
        with pytest.raises(UsageError, match="no operation 'chatter'"):
            farm.ask("chatter", HELLO)
        with pytest.raises(RequestError, match="'messages' is missing"):
            farm.ask("chat", {})
        with pytest.raises(UsageError, match="no model 'eco'"):
            farm.ask("chat", HELLO, model="eco")
        with pytest.raises((ModelNotFound, llamafarm.errors.ProviderError)):
            farm.ask("images", {"prompt": "a cat"})


def test_a_session_is_kept_and_the_trace_is_told_where_it_is_asked_for(opened):
    async def talk():
        async with opened() as farm:
            first = await farm.ask("chat", HELLO, session="new")
            await first.text()
            session = first.headers["X-Session-ID"]
            second = await farm.ask("chat", HELLO, session=session, trace=True)
            answer = await second.completion()
            history = await farm.sessions.messages(session)
            return answer["llamafarm"]["trace"], history

    trace, history = asyncio.run(talk())
    assert [note["stage"] for note in trace] == ["provider", "accepted"]
    assert [message["content"] for message in history] == ["hello", "You said: hello"] * 2


def test_health_says_how_each_runtime_is(opened):
    with opened() as farm:
        states = {row.entries: row.state for row in farm.health()}
        assert states[("bad",)] == "broken"
        assert set(states) == {("echo",), ("bad",)}


def test_opening_a_project_imports_no_torch(opened, farm):
    program = (
        "import sys, llamafarm\n"
        f"with llamafarm.open({str(farm.folder)!r}) as farm: print(farm.ask('chat', {HELLO!r}).text())\n"
        "print([name for name in ('torch', 'transformers', 'diffusers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], env=farm.env(), capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["You said: hello", "[]"], done.stderr
