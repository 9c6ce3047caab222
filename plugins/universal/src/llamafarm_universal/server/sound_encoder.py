"""Sound in a format, as its samples come: a process for each request writes it, beside the event loop."""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import aclosing

from llamafarm.errors import LlamaFarmError

from llamafarm_universal.media.pool import own_environ

PIECE_BYTES = 64 * 1024
log = logging.getLogger(__name__)


async def encoded(samples: AsyncGenerator[bytes, None], form: str, rate: int) -> AsyncGenerator[bytes, None]:
    """The file of a format, piece by piece. samples: of 16 bits. rate: how many of them are a second.

    Raises what `samples` raises, and LlamaFarmError where the process fails. It is ended with the generator.
    """
    command = [sys.executable, "-P", "-m", "llamafarm_universal.media.encoder", form, str(rate)]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=own_environ())
    feeding = asyncio.create_task(_feed(process, samples))
    try:
        assert process.stdout is not None
        while piece := await process.stdout.read(PIECE_BYTES):
            yield piece
        await feeding
        if code := await process.wait():
            log.error("The encoder of sound ended with exit code %d.", code)
            raise LlamaFarmError("The sound could not be encoded.", hint="The server's log says more.")
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _feed(process: Process, samples: AsyncGenerator[bytes, None]) -> None:
    """Give the process what there is, as it takes it."""
    assert process.stdin is not None
    try:
        async with aclosing(samples):
            async for piece in samples:
                process.stdin.write(piece)
                await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return  # it has ended, and its exit code says so
    finally:
        process.stdin.close()
