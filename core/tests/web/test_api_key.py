"""The key is asked for on every path, known or not, but the liveness probe's."""

from __future__ import annotations

import pytest

KEY = "s3cret key"
PATHS = ["/whoami", "/nowhere", "//whoami", "/health/live/", "//health/live", "/health/live%2f..", "/a?/health/live"]


@pytest.fixture
def locked(serve):
    return serve(key=KEY)


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer wrong", KEY, f"Basic {KEY}", f"Bearer {KEY}x", b"Bearer \xff\xfe"]
)
def test_without_the_key_every_path_is_closed(locked, shown):
    for path in PATHS:
        answer = locked.get(path, headers={"authorization": shown})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
        assert answer.json()["error"]["message"].startswith("The API key is wrong.")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_no_key_at_all_is_told_apart(locked):
    assert locked.get("/whoami").json()["error"]["message"].startswith("This server needs an API key.")


def test_two_keys_are_none(locked):
    headers = [("authorization", f"Bearer {KEY}"), ("authorization", "Bearer other")]
    assert locked.get("/whoami", headers=headers).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_with_the_key_every_path_is_open(locked, scheme):
    headers = {"authorization": f"{scheme} {KEY}"}
    assert locked.get("/whoami", headers=headers).status_code == 200
    assert locked.get("/nowhere", headers=headers).status_code == 404


def test_liveness_needs_no_key(locked):
    assert locked.get("/health/live").json() == {"status": "ok"}


def test_without_a_key_of_its_own_a_server_asks_for_none(serve):
    assert serve(key=None).get("/whoami").status_code == 200
