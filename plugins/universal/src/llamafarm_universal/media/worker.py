"""`python -m llamafarm_universal.media.worker`: decodes one file after the other, as its standard input asks.

It runs apart, since what it reads may be made to harm: with a limit of its own on memory, without the secrets of the
environment, and killed where it does not answer. It ends when its input does, or when nothing is asked for a while.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from typing import BinaryIO

from llamafarm_universal.media.films import decode_film
from llamafarm_universal.media.jobs import FilmJob, Job, PictureJob, Refused, dump_answer, read_job
from llamafarm_universal.media.pictures import decode_picture
from llamafarm_universal.media.sounds import decode_sound


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--memory", type=int, required=True)
    parser.add_argument("--idle", type=float, required=True)
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the runtime decides what it means
    logging.basicConfig(level=logging.WARNING)
    answers = _answers()
    _limit(arguments.memory)
    while line := _asked(arguments.idle):
        answers.write(dump_answer(_done(read_job(line), arguments.memory)))
        answers.flush()


def _asked(seconds: float) -> bytes:
    """The next job. After so many seconds without one, the process ends, and with it what its libraries keep."""
    idle = threading.Timer(seconds, os._exit, (0,))
    idle.daemon = True
    idle.start()
    line = sys.stdin.buffer.readline()
    idle.cancel()
    return line


def _answers() -> BinaryIO:
    """Where answers go. What libraries print goes to the log instead, so that it is never taken for an answer."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _limit(memory: int) -> None:
    """Have the system refuse more memory than that, where it can; and no core file of what a stranger sent."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for limit, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
        try:
            resource.setrlimit(limit, (value, value))
        except (ValueError, OSError):  # macOS knows no limit of RLIMIT_AS
            pass


def _done(job: Job, memory: int) -> dict[str, int] | Refused:
    try:
        if isinstance(job, FilmJob):
            return decode_film(job)
        return decode_picture(job) if isinstance(job, PictureJob) else decode_sound(job)
    except Refused as refusal:
        return refusal
    except MemoryError:
        return Refused(f"Decoding the file takes more memory than the {memory:,} bytes that it may.", kind="too_large")


if __name__ == "__main__":
    main()
