"""The holder's server answers who has the token, proves who it is, and hands on errors."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import httpx
import pytest
from databases import passages
from llamafarm.errors import UsageError
from llamafarm_rag.database.lock import Holder
from llamafarm_rag.database.passage import Match
from llamafarm_rag.database.remote import HolderGone, RemoteDatabase
from llamafarm_rag.database.server import PROOF, DatabaseServer
from llamafarm_rag.errors import DatabaseError

MATCH = Match(passages("a.txt", 1)[0], 0.5)


def submit(operation: str, arguments: list[Any]) -> Future[Any]:
    """What the database's thread would do."""
    future: Future[Any] = Future()
    if operation == "matching":
        future.set_result([MATCH] * arguments[1])
    elif operation == "files":
        future.set_exception(UsageError("There is no such dataset.", hint="Name another one."))
    else:
        future.set_exception(RuntimeError("broken"))
    return future


@pytest.fixture
def server() -> Iterator[DatabaseServer]:
    made = DatabaseServer(submit)
    yield made
    made.stop()


@pytest.fixture
def remote(server) -> Iterator[RemoteDatabase]:
    made = RemoteDatabase(server.holder)
    yield made
    made.close()


def test_operations_are_answered(remote):
    remote.ping()
    assert remote.matching("text", 2, None) == [MATCH, MATCH]


def test_errors_are_raised_where_it_was_asked(remote):
    with pytest.raises(UsageError, match=r"(?s)no such dataset.*Name another"):
        remote.files("unknown")


def test_a_failure_names_the_process_and_is_logged(remote, caplog):
    with pytest.raises(DatabaseError, match=r"stats of the database failed in process \d+: RuntimeError: broken"):
        remote.stats()
    assert "stats of a database failed" in caplog.text


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}])
def test_who_has_no_token_is_refused_and_gets_no_proof(server, headers):
    answer = httpx.post(f"{server.holder.address}/matching", headers=headers, content=b"{}")
    assert answer.status_code == 401
    assert PROOF not in answer.headers


def test_a_wrong_token_is_no_holder(server):
    stranger = RemoteDatabase(Holder(1, server.holder.address))
    with pytest.raises(HolderGone):
        stranger.ping()
    stranger.close()


def test_another_program_on_the_port_is_not_taken_for_the_holder(server, remote):
    impostor = RemoteDatabase(Holder(1, server.holder.address, token=server.holder.token))
    with pytest.raises(HolderGone, match="another program answers"):
        impostor.matching("text", 1, None)
    impostor.close()


def test_what_is_no_operation_is_refused(server):
    headers = {"Authorization": f"Bearer {server.holder.token}"}
    for name in ("close", "__init__", "unknown"):
        assert httpx.post(f"{server.holder.address}/{name}", headers=headers).status_code == 404
    assert httpx.post(f"{server.holder.address}/matching", headers=headers, content=b"[]").status_code == 500
    assert httpx.get(f"{server.holder.address}/matching", headers=headers).status_code == 405


def test_a_process_that_ends_is_a_holder_no_longer():
    def ended(operation: str, arguments: list[Any]) -> Future[Any]:
        raise RuntimeError("cannot schedule new futures after shutdown")

    server = DatabaseServer(ended)
    remote = RemoteDatabase(server.holder)
    with pytest.raises(HolderGone):
        remote.matching("text", 1, None)
    remote.close()
    server.stop()


def test_a_server_that_was_stopped_is_gone(server, remote):
    remote.ping()
    server.stop()
    with pytest.raises(HolderGone):
        remote.matching("text", 1, None)
