"""Shared by all tests: async tests run on asyncio, and Ctrl-C reaches the programs that tests start."""

from __future__ import annotations

import signal

import pytest


def pytest_configure() -> None:
    """A shell's background job ignores Ctrl-C, and the programs that it starts would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
