"""Shared by all tests: async ones run on asyncio, Ctrl-C reaches the programs they start, and none takes all cores."""

from __future__ import annotations

import os
import signal

import pytest


def pytest_configure() -> None:
    """A shell's background job ignores Ctrl-C, and the programs that it starts would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin hold up other tests
    os.environ.setdefault("TRITON_INTERPRET", "1")  # kernels for GPUs run on any machine, before Triton is imported
    if "PYTEST_XDIST_WORKER" in os.environ:  # others test at the same time: torch's threads would wait for each other
        os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
