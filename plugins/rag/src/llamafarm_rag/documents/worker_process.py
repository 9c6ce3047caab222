"""`python -m llamafarm_rag.documents.worker_process`: reads one file after the other, as its standard input asks.

It runs apart, since files may be made to harm: with limits of its own on time and memory, and without the secrets of
the environment. It ends when its input does, also in the middle of a file: whoever started it is gone.
"""

from __future__ import annotations

import argparse
import logging
import os
import queue
import signal
import threading
from typing import BinaryIO

from llamafarm_rag.documents.exchange import (
    LENGTH_BYTES,
    dump_document,
    dump_error,
    framed,
    length_of,
    load_job,
)
from llamafarm_rag.documents.reading import read
from llamafarm_rag.documents.source import Source
from llamafarm_rag.errors import UnreadableFile


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--computing-seconds", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--memory", type=int, required=True)
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides what it means
    logging.basicConfig(level=logging.CRITICAL)  # libraries have much to say of broken files
    answers = _answers()
    _limit_memory(arguments.memory)
    jobs: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    while True:
        job = jobs.get()
        _limit_time(arguments.computing_seconds, arguments.seconds)
        answer = _done(job, arguments.memory)
        _limit_time(0, 0)
        answers.write(framed(answer))
        answers.flush()


def _listen(jobs: queue.SimpleQueue[bytes]) -> None:
    """Take what is asked. The end of the input ends the process at once."""
    requests = os.fdopen(os.dup(0), "rb")
    while head := requests.read(LENGTH_BYTES):
        jobs.put(requests.read(length_of(head)))
    os._exit(0)


def _answers() -> BinaryIO:
    """Where answers go. What libraries print goes to standard error, so that it is never taken for an answer."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _limit_memory(memory: int) -> None:
    """Have the system refuse more memory than that, where it can; and no core file of what a stranger wrote."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for limit, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
        try:
            resource.setrlimit(limit, (value, value))
        except (ValueError, OSError):  # macOS knows no limit of RLIMIT_AS
            pass


def _limit_time(computing_seconds: float, seconds: float) -> None:
    """Have the system kill this process after so many seconds of computing, or on the clock; 0 lifts a limit.

    It kills one that hangs in C, too, and one whose parent has died.
    """
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, computing_seconds)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _done(message: bytes, memory: int) -> bytes:
    path, processing = load_job(message)
    try:
        return dump_document(read(path, processing))
    except UnreadableFile as error:
        return dump_error(error)
    except MemoryError:
        return dump_error(Source(path, b"").unreadable(f"takes more memory than the {memory:,} bytes that it may"))


if __name__ == "__main__":
    main()
