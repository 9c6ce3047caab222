"""The lock of a database, and what its holder says of itself."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

from llamafarm_rag.database.lock import DatabaseLock, Holder

HOLD = """
import sys
from pathlib import Path
from llamafarm_rag.database.lock import DatabaseLock, Holder
lock = DatabaseLock(Path(sys.argv[1]))
assert lock.try_acquire()
lock.announce(Holder(1, "http://127.0.0.1:1"))
print("held", flush=True)
sys.stdin.read()
"""


def test_one_at_a_time_has_it(tmp_path):
    first, second = DatabaseLock(tmp_path), DatabaseLock(tmp_path)
    assert first.try_acquire()
    assert not second.try_acquire()
    first.release()
    assert second.try_acquire()
    second.release()


def test_the_holder_is_for_this_user_alone_and_has_secrets_that_are_not_shown(tmp_path):
    lock, holder = DatabaseLock(tmp_path), Holder(os.getpid(), "http://127.0.0.1:4")
    assert lock.holder() is None
    lock.announce(holder)
    lock.announce(holder)
    assert lock.holder() == holder
    assert stat.S_IMODE((tmp_path / "holder.json").stat().st_mode) == 0o600
    assert holder.token not in repr(holder)
    assert len({holder.token, holder.proof, Holder(1, "").token}) == 3
    lock.withdraw()
    assert lock.holder() is None


def test_the_lock_of_a_killed_process_is_free_and_what_it_said_is_forgotten(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        lock = DatabaseLock(tmp_path)
        assert not lock.try_acquire()
        process.kill()
    assert lock.holder() is not None
    assert lock.try_acquire()
    assert lock.holder() is None
    lock.release()
