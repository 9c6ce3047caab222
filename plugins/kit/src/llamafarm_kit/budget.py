"""What loading a plugin may not do, since every command would pay for it."""

from __future__ import annotations

import sys
import threading

HEAVY = (
    "aiohttp",
    "anthropic",
    "boto3",
    "chromadb",
    "diffusers",
    "grpc",
    "httpx",
    "huggingface_hub",
    "jax",
    "langchain",
    "litellm",
    "matplotlib",
    "numpy",
    "onnxruntime",
    "openai",
    "pandas",
    "PIL",
    "requests",
    "scipy",
    "sentence_transformers",
    "sklearn",
    "starlette",
    "tensorflow",
    "torch",
    "transformers",
    "uvicorn",
)
"""Packages that take long to import, or bring one that does: they are imported where they are used."""

NETWORK = (
    "socket.__new__",
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyaddr",
    "socket.gethostbyname",
    "socket.sendto",
)
"""What Python reports when code uses the network, or gets ready to (PEP 578)."""


def heavy_imports() -> list[str]:
    """The packages of HEAVY that this process has imported."""
    return [package for package in HEAVY if package in sys.modules]


def threads() -> list[str]:
    """The names of the threads of this process, but for the main one."""
    return [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]


def children() -> list[str]:
    """The names of the processes that this one has started and that still run."""
    import psutil

    return [child.name() for child in psutil.Process().children(recursive=True)]
