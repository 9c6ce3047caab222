"""One heap for all threads of an engine host."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PATIENCE = 60
HEAPS = """
import ctypes, threading
from llamafarm_universal.heap import share_heap
share_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.open_memstream.restype = ctypes.c_void_p
all_here = threading.Barrier(4)
def take():
    libc.malloc(1000)
    all_here.wait()
threads = [threading.Thread(target=take) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
text, size = ctypes.c_char_p(), ctypes.c_size_t()
stream = ctypes.c_void_p(libc.open_memstream(ctypes.byref(text), ctypes.byref(size)))
libc.malloc_info(0, stream)
libc.fclose(stream)
print(text.value.decode().count("<heap "))
"""


def heaps(**told: str) -> int:
    environ = {name: value for name, value in os.environ.items() if name not in ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES")}
    done = subprocess.run(
        [sys.executable, "-c", HEAPS],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
        env={**environ, **told},
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="heaps are those of glibc")
@pytest.mark.parametrize(
    ("told", "count"),
    [({}, 1), ({"MALLOC_ARENA_MAX": "3"}, 3), ({"GLIBC_TUNABLES": "glibc.malloc.arena_max=2"}, 2)],
)
def test_threads_share_one_heap_unless_the_user_says_how_many(told: dict[str, str], count: int) -> None:
    assert heaps(**told) == count
