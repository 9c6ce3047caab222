"""Files that a runtime keeps are served at the API's own address, and the runtime is told which that is."""

from __future__ import annotations

import httpx
import pytest
from llamafarm.api.settings import Limits
from llamafarm.errors import UpstreamError, UsageError
from llamafarm.providers.content import Content
from llamafarm_kit.testing.scripted import ScriptedProvider

BOUND = 20.0


class Keeper(ScriptedProvider):
    """Keeps one file."""

    async def generate_image(self, request, call):
        self._take(request, call)
        return Content.of_json({"created": 1, "data": [{"url": f"{call.files_url}/fox.png"}]})

    async def file(self, name, call):
        if name != "fox.png":
            raise UpstreamError("It is gone.", status=404, code="file_expired")
        return Content.whole(b"a fox", "image/png")


def drawn(url: str, model: str = "large", **headers: str) -> str:
    body = {"model": model, "prompt": "A fox.", "response_format": "url"}
    answer = httpx.post(f"{url}/images/generations", json=body, headers=headers, timeout=BOUND)
    return answer.json()["data"][0]["url"]


def test_an_address_is_one_of_the_api_and_leads_to_the_file(serve):
    server = serve(Keeper())
    address = drawn(server.url)
    assert address == f"{server.url}/models/large/files/fox.png"
    answer = httpx.get(address, timeout=BOUND)
    assert (answer.content, answer.headers["content-type"]) == (b"a fox", "image/png")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert httpx.head(address, timeout=BOUND).status_code == 200


def test_the_project_of_the_request_is_in_its_address(serve):
    server = serve(Keeper())
    address = drawn(f"{server.url}/projects/default/shop")
    assert address == f"{server.url}/projects/default/shop/models/large/files/fox.png"
    assert httpx.get(address, timeout=BOUND).content == b"a fox"


def test_a_server_behind_a_proxy_can_be_told_its_address(serve):
    limits = Limits.of({"LF_PUBLIC_URL": "https://farm.example.com/v1/"})
    assert drawn(serve(Keeper(), limits=limits).url) == "https://farm.example.com/v1/models/large/files/fox.png"
    with pytest.raises(UsageError, match="LF_PUBLIC_URL is 'farm', which is no address"):
        Limits.of({"LF_PUBLIC_URL": "farm"})


def test_the_key_of_the_server_is_asked_for(serve):
    server = serve(Keeper(), limits=Limits(api_key="secret"))
    address = drawn(server.url, Authorization="Bearer secret")
    assert httpx.get(address, timeout=BOUND).status_code == 401
    assert httpx.get(address, headers={"Authorization": "Bearer secret"}, timeout=BOUND).content == b"a fox"


def test_a_file_that_is_gone_is_a_404(serve):
    answer = httpx.get(f"{serve(Keeper()).url}/models/small/files/cow.png", timeout=BOUND)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "file_expired")


def test_a_provider_that_keeps_nothing_says_so(serve):
    answer = httpx.get(f"{serve().url}/models/small/files/fox.png", timeout=BOUND)
    assert answer.status_code == 404
    assert "The provider 'scripted' of the model 'small' keeps no files." in answer.json()["error"]["message"]
    unknown = httpx.get(f"{serve().url}/models/none/files/fox.png", timeout=BOUND)
    assert unknown.status_code == 404
