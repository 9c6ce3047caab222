"""A server of its own process: it says where it listens, and ends when it is told to."""

from __future__ import annotations

import signal
import subprocess
import sys

import httpx
import pytest

BOUND = 30.0
PROGRAM = """
from llamafarm.web.guard import live_route
from llamafarm.web.listener import listen
from llamafarm.web.server import Server, run
from starlette.applications import Starlette

with listen("127.0.0.1", 0) as listener:
    app = Starlette(routes=[live_route()])
    run(Server(app, grace=1, announce=lambda url: print(url, flush=True)), listener)
print("ended", flush=True)
"""


@pytest.fixture
def process():
    child = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield child
    child.kill()
    child.communicate(timeout=BOUND)


def test_it_announces_its_url_and_returns_on_sigterm(process):
    url = process.stdout.readline().strip()
    assert httpx.get(f"{url}/health/live", timeout=BOUND).json() == {"status": "ok"}
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=BOUND)
    assert (process.returncode, out, err) == (0, "ended\n", "")


def test_ctrl_c_is_a_keyboard_interrupt_of_the_caller(process):
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=BOUND)
    assert (process.returncode, out) == (-signal.SIGINT, "")
    assert err.rstrip().endswith("KeyboardInterrupt")
