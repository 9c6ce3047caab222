"""The contract of routes: what every client of the API relies on, whoever answers.

from llamafarm_kit.testing import RouteContract


class TestRoutes(RouteContract):
    plugin = "barn"
    config = {"barns": {"red": {"cows": 3}}}
    parameters = {"barn": "red"}
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from llamafarm import RouteSpec
from llamafarm.api.app import PREFIXES, create_app
from llamafarm.api.registry import Projects
from llamafarm.api.settings import Limits, Settings
from llamafarm.config.load import load_project
from llamafarm.gateway import Gateway
from llamafarm.plugins.manager import PluginManager
from llamafarm.web import Server

from llamafarm_kit.testing.contract import Contract
from llamafarm_kit.testing.plugin_contract import loaded
from llamafarm_kit.testing.served import served

JSON = "application/json"
ODD_BODIES = ((JSON, b""), (JSON, b"{"), (JSON, b"[1]"), (JSON, b'{"no_such_field": 1}'), ("text/plain", b"cow"))
"""The media type and the body of requests that no route is made for."""


class RouteContract(Contract):
    """What holds for every route; subclass it and name the plugin that brings yours, which must be installed.

    config: top-level keys of llamafarm.yaml, of the project that is asked. parameters: values for those of the paths;
    one that is not named is `x`. patience: seconds that an answer may take before it counts as hanging. routes: the
    records, where they are not installed. xfail: see Contract.

    The requests change what they can: they have a folder for data of their own.
    """

    plugin: ClassVar[str]
    config: ClassVar[Mapping[str, Any]] = {}
    parameters: ClassVar[Mapping[str, str]] = {}
    patience: ClassVar[float] = 30.0

    @property
    def routes(self) -> Sequence[RouteSpec]:
        """The routes of the plugin that is installed."""
        return loaded(self.plugin).of(RouteSpec)

    @pytest.fixture
    def client(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
        """A client of a server that serves the project and has these routes alone."""
        monkeypatch.setenv("LF_DATA_DIR", str(tmp_path / "data"))
        path = tmp_path / "llamafarm.yaml"
        path.write_text(json.dumps({"name": "contract", "runtime": {"models": []}, **self.config}), encoding="utf-8")
        plugins = _Plugins(self.routes)
        projects = Projects(load_project(path, plugins))
        app = create_app(Settings(Gateway(plugins), projects, plugins, Limits()))
        with (
            served(Server(app, grace=1, announce=lambda _: None)) as url,
            httpx.Client(base_url=url, timeout=self.patience, trust_env=False) as client,
        ):
            yield client

    def test_each_says_in_one_line_what_it_is_for(self) -> None:
        """The server's own address shows it."""
        assert self.routes, f"the plugin {self.plugin!r} brings no routes"
        for spec in self.routes:
            assert len(spec.summary.strip().splitlines()) == 1, f"the summary of {spec.name} is {spec.summary!r}"

    def test_each_answers_below_both_prefixes(self, client: httpx.Client) -> None:
        """Not with a failure of its own, and with the project that the path names."""
        for prefix in PREFIXES:
            for spec in self.routes:
                for method in spec.methods:
                    answer = self.ask(client, method, spec, prefix, JSON, b"{}")
                    assert answer.status_code != 500, f"{method} {answer.url}: {answer.text}"

    def test_no_body_makes_it_fail(self, client: httpx.Client) -> None:
        """Whatever a client sends is answered, or refused with what is wrong in it."""
        for spec in self.routes:
            for method in spec.methods:
                for kind, body in ODD_BODIES:
                    answer = self.ask(client, method, spec, PREFIXES[0], kind, body)
                    assert answer.status_code != 500, f"{method} {spec.path} with {body!r}: {answer.text}"

    def test_what_it_refuses_is_in_the_envelope_that_clients_read(self, client: httpx.Client) -> None:
        """OpenAI's, with a message and a code: raise a LlamaFarmError, and it is."""
        for spec in self.routes:
            for method in spec.methods:
                for kind, body in ODD_BODIES:
                    answer = self.ask(client, method, spec, PREFIXES[0], kind, body)
                    if answer.is_error:
                        assert _is_envelope(answer), f"{method} {spec.path} with {body!r}: {answer.text}"

    def ask(
        self, client: httpx.Client, method: str, spec: RouteSpec, prefix: str, kind: str, body: bytes
    ) -> httpx.Response:
        """The answer to one request, read to its end."""
        names = {"namespace": "default", "project": "contract", **self.parameters}
        parts = (prefix + spec.path).replace(":path}", "}").split("/")
        path = "/".join(names.get(part[1:-1], "x") if part.startswith("{") else part for part in parts)
        if method in ("GET", "DELETE"):
            return client.request(method, path)
        return client.request(method, path, content=body, headers={"content-type": kind})


class _Plugins(PluginManager):
    """What is installed, but for the routes."""

    def __init__(self, routes: Sequence[RouteSpec]) -> None:
        super().__init__()
        self._routes = routes

    def routes(self) -> list[RouteSpec]:
        return list(self._routes)


def _is_envelope(answer: httpx.Response) -> bool:
    try:
        error = answer.json()["error"]
        return bool(error["message"] and error["code"])
    except (ValueError, LookupError, TypeError):
        return False
