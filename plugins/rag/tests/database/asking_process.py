"""A process that has a project's database open: `python asking_process.py LLAMAFARM_YAML`.

It reads operations from its input, as Python that is given `database`, and says what they give, or the error; then
`holder` or `asks`: whether it holds the database itself.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import databases
import llamafarm
from llamafarm.errors import LlamaFarmError
from llamafarm_rag.config.project import database_of
from llamafarm_rag.database.opening import open_database


async def answer(database, line: str) -> str:
    try:
        return repr(await eval(line, {"database": database, **vars(databases)}))
    except LlamaFarmError as error:
        return f"{type(error).__name__}: {error.message}"


async def main(file: str) -> None:
    with llamafarm.open(file) as farm:
        project = farm.project
    database = await open_database(project, database_of(project, None))
    print("open", "holder" if database.is_holder else "asks", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        said = await answer(database, line)
        print(said, "holder" if database.is_holder else "asks", flush=True)
    await database.aclose()


asyncio.run(main(sys.argv[1]))
