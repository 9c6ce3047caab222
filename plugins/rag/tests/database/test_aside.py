"""A database that cannot be opened is put aside, and nothing of it is lost."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from databases import options
from llamafarm import Project
from llamafarm_rag.database.aside import put_aside
from llamafarm_rag.database.folder import database_folder
from llamafarm_rag.database.opening import open_database
from llamafarm_rag.errors import DatabaseError

pytestmark = pytest.mark.anyio


@pytest.fixture
def project(tmp_path) -> Project:
    return replace(Project("farm", "default", None, ()), path=tmp_path / "llamafarm.yaml")


async def test_a_broken_database_is_put_aside_and_another_one_begun(project, tmp_path):
    environ = {**os.environ, "LF_DATA_DIR": str(tmp_path / "data")}
    folder = database_folder(project, options(), environ)
    (folder / "store").mkdir(parents=True)
    (folder / "ledger.sqlite3").write_bytes(b"garbage " * 1000)
    (folder / "store" / "rows").write_bytes(b"rows")
    with pytest.raises(DatabaseError, match="lf rag rebuild"):
        await open_database(project, options(), environ)
    aside = await put_aside(project, options(), environ)
    assert (aside / "ledger.sqlite3").read_bytes() == b"garbage " * 1000
    assert (aside / "store" / "rows").read_bytes() == b"rows"
    database = await open_database(project, options(), environ)
    assert (await database.stats()).passages == 0
    with pytest.raises(DatabaseError, match=r"(?s)held by a process.*lf serve"):
        await put_aside(project, options(), environ)
    await database.aclose()
