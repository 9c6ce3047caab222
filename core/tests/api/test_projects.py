"""The projects of a server: its own and those of the data directory, read again when their file changes."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import httpx
import pytest
from llamafarm.api.registry import Projects
from llamafarm.config import load_project
from llamafarm.errors import ConfigError, UsageError
from llamafarm.plugins.manager import PluginManager
from llamafarm.project import Project

BOUND = 20.0
pytestmark = pytest.mark.anyio

FILE = """
name: {name}
namespace: {namespace}
prompts:
  - name: house
    messages:
      - {{role: system, content: "{prompt}"}}
runtime:
  models:
    - {{name: chat, provider: scripted, model: x, api_key: "hunter2hunter2"}}
"""
SOURCE = """
import threading

import llamafarm
from llamafarm_kit.testing.scripted import ScriptedProvider

PROVIDER = ScriptedProvider("Hello.")
CLOSED = threading.Event()

class Diary(llamafarm.AgentHandler):
    async def run(self, turn, ask):
        return await ask(turn)

    async def aclose(self):
        CLOSED.set()

@llamafarm.hookimpl
def register_agent_handlers():
    yield llamafarm.AgentHandlerSpec("diary", "made for a test", lambda _: Diary())

@llamafarm.hookimpl
def register_providers():
    yield llamafarm.ProviderSpec(
        name="scripted",
        summary="made for a test",
        entry=llamafarm.ModelEntry,
        endpoint=lambda entry: llamafarm.Endpoint("scripted", "http://127.0.0.1:9/v1"),
        connect=lambda endpoint: PROVIDER,
    )
"""


def write(path: Path, *, name: str = "shop", namespace: str = "default", prompt: str = "Be kind.") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FILE.format(name=name, namespace=namespace, prompt=prompt))
    return path


@pytest.fixture
def plugins(install) -> PluginManager:
    install("acme-scripted", SOURCE)
    return PluginManager()


@pytest.fixture
def farm(serve, plugins, tmp_path):
    """A server with one project of its own and two in the data directory, of which one is broken."""
    root = tmp_path / "projects"
    write(root / "team" / "wiki" / "llamafarm.yaml", name="wiki", namespace="team")
    broken = root / "team" / "broken" / "llamafarm.yaml"
    broken.parent.mkdir()
    broken.write_text("runtime: [")
    own = write(tmp_path / "here" / "llamafarm.yaml")

    def load(path: Path):
        return load_project(path, plugins)

    server = serve(plugins=plugins, projects=Projects(load(own), root=root, load=load, look_every=0))
    server.file = own
    return server


def test_all_projects_are_listed_and_secrets_are_masked(farm):
    body = httpx.get(f"{farm.url}/projects").json()
    names = [(row["namespace"], row["name"]) for row in body["projects"]]
    assert names == [("default", "shop"), ("team", "broken"), ("team", "wiki")]
    assert body["total"] == 3
    assert "llamafarm.yaml" in body["projects"][1]["error"]
    assert "hunter2" not in str(body)
    assert body["projects"][0]["config"]["runtime"]["models"][0]["name"] == "chat"


def test_the_projects_of_one_namespace_are_listed(farm):
    body = httpx.get(f"{farm.url}/projects/team").json()
    assert [row["name"] for row in body["projects"]] == ["broken", "wiki"]
    assert httpx.get(f"{farm.url}/projects/nobody").json() == {"total": 0, "projects": []}


def test_one_project_is_shown_with_secrets_masked(farm):
    answer = httpx.get(f"{farm.url}/projects/default/shop")
    assert answer.json()["config"]["name"] == "shop"
    assert "hunter2" not in answer.text


def test_a_project_of_the_data_directory_answers(farm):
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    answer = httpx.post(f"{farm.url}/projects/team/wiki/chat/completions", json=body)
    assert answer.json()["choices"][0]["message"]["content"] == "Hello."


def test_a_broken_project_is_an_error_of_its_own_and_the_others_work(farm):
    answer = httpx.get(f"{farm.url}/projects/team/broken/models")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "invalid_configuration")
    assert httpx.get(f"{farm.url}/models").status_code == 200


@pytest.mark.parametrize("path", ["..%2f..", "../..", "team/%2e%2e", "team/..%2fwiki", ".hidden/wiki", "team/wiki%00"])
def test_a_path_out_of_the_folder_of_projects_is_not_found(farm, path):
    with httpx.Client() as client:
        request = client.build_request("GET", f"{farm.url}/projects/x/models")
        request.url = request.url.copy_with(raw_path=f"/v1/projects/{path}/models".encode())
        assert client.send(request).status_code in (400, 404)


def prompt_of(farm) -> str:
    """The prompt of the project, as the next request of it has it."""
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    assert httpx.post(f"{farm.url}/chat/completions", json=body).status_code == 200
    import acme_scripted

    return acme_scripted.PROVIDER.requests[-1]["messages"][0]["content"]


def test_a_file_that_changes_is_read_again(farm):
    assert prompt_of(farm) == "Be kind."
    write(farm.file, prompt="Be brief.")
    os.utime(farm.file, ns=(1, 1))
    assert prompt_of(farm) == "Be brief."


def test_a_file_is_read_again_when_its_variables_change(farm):
    write(farm.file, prompt="${LF_HOUSE:-Be kind.}")
    assert prompt_of(farm) == "Be kind."
    variables = farm.file.parent / ".env"
    variables.write_text("LF_HOUSE=Be brief.\n")
    assert prompt_of(farm) == "Be brief."
    variables.unlink()
    assert prompt_of(farm) == "Be kind."


def test_what_the_project_held_before_is_closed_when_its_file_was_read_again(farm):
    farm.file.write_text(farm.file.read_text() + "handler: [diary, simple]\n")
    assert prompt_of(farm) == "Be kind."
    import acme_scripted

    assert not acme_scripted.CLOSED.is_set()
    write(farm.file, prompt="Be brief.")
    assert prompt_of(farm) == "Be brief."
    assert acme_scripted.CLOSED.wait(BOUND)


def test_a_file_that_becomes_wrong_is_told_and_what_it_said_before_stays_in_service(farm, caplog):
    farm.file.write_text("runtime: [")
    assert prompt_of(farm) == "Be kind."
    health = httpx.get(f"{farm.root}/health")
    told = next(part for part in health.json()["components"] if part["name"] == "configuration")
    assert (health.status_code, health.json()["status"], told["status"]) == (200, "degraded", "degraded")
    assert "llamafarm.yaml:" in told["message"]
    assert told["message"].endswith("What the file said before stays in service.")
    assert "llamafarm.yaml:" in httpx.get(f"{farm.url}/projects/default/shop").json()["error"]
    assert caplog.text.count("What the file said before stays in service.") == 1
    write(farm.file, prompt="Be brief.")
    assert prompt_of(farm) == "Be brief."
    assert httpx.get(f"{farm.root}/health").json()["status"] == "healthy"
    assert "error" not in httpx.get(f"{farm.url}/projects/default/shop").json()


def test_a_file_that_is_gone_leaves_its_project_in_service(farm):
    farm.file.unlink()
    assert prompt_of(farm) == "Be kind."
    assert httpx.get(f"{farm.root}/health").json()["status"] == "degraded"


class Reading:
    """Reads a file, and counts how often; it may be made to wait."""

    def __init__(self, plugins: PluginManager) -> None:
        self.times = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self._plugins = plugins

    def __call__(self, path: Path) -> Project:
        self.times += 1
        assert self.may_go_on.wait(BOUND)
        return load_project(path, self._plugins)


async def test_a_wrong_file_is_read_once_and_not_for_every_request(plugins, tmp_path):
    path, load = write(tmp_path / "llamafarm.yaml"), Reading(plugins)
    projects = Projects(load_project(path, plugins), load=load, look_every=0)
    path.write_text("runtime: [")
    for _ in range(3):
        assert (await projects.of({})).name == "shop"
    assert load.times == 1


async def test_a_file_that_was_never_right_is_read_once_too_and_stays_an_error(plugins, tmp_path):
    path, load = tmp_path / "projects" / "team" / "wiki" / "llamafarm.yaml", Reading(plugins)
    path.parent.mkdir(parents=True)
    path.write_text("runtime: [")
    projects = Projects(None, root=tmp_path / "projects", load=load, look_every=0)
    for _ in range(3):
        with pytest.raises(ConfigError):
            await projects.find("team", "wiki")
    assert load.times == 1


async def test_a_file_is_looked_at_from_time_to_time_and_not_for_every_request(plugins, tmp_path):
    path, load = write(tmp_path / "llamafarm.yaml"), Reading(plugins)
    projects = Projects(load_project(path, plugins), load=load, look_every=3600)
    write(path, name="market")
    assert (await projects.of({})).name == "shop"
    assert load.times == 0


async def test_while_a_file_is_read_again_others_are_served_as_before(plugins, tmp_path):
    path, load = write(tmp_path / "llamafarm.yaml"), Reading(plugins)
    projects = Projects(load_project(path, plugins), load=load, look_every=0)
    write(path, name="market")
    load.may_go_on.clear()
    first = asyncio.create_task(projects.of({}))
    await asyncio.sleep(0)
    assert (await projects.of({})).name == "shop"
    load.may_go_on.set()
    assert (await first).name == "market"


async def test_two_who_need_a_project_that_is_being_read_wait_for_the_same_reading(plugins, tmp_path):
    write(tmp_path / "projects" / "team" / "wiki" / "llamafarm.yaml", name="wiki", namespace="team")
    load = Reading(plugins)
    projects = Projects(None, root=tmp_path / "projects", load=load)
    both = await asyncio.gather(projects.find("team", "wiki"), projects.find("team", "wiki"))
    assert both[0] is both[1]
    assert load.times == 1


async def test_a_registry_without_a_folder_knows_only_its_default():
    with pytest.raises(UsageError, match="There is no project default/shop"):
        await Projects(None).find("default", "shop")
    assert await Projects(None).all() == []
