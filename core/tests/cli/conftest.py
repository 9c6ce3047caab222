"""A project folder with a provider of its own, and `lf` in it: in this process, or in one of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from llamafarm.cli import main

BOUND = 60.0
LF = str(Path(sys.executable).parent / "lf")

SHELF = '''
import asyncio, os, pathlib
import llamafarm

SHELF = pathlib.Path(os.environ["SHELF"])
"""The runtime: each model is a file here. `down`: it does not answer; `hold`: pulls stop in the middle."""

class Fixed:
    """A runtime whose models cannot be fetched, nor deleted."""

    async def aclose(self):
        pass

class Shelf:
    async def describe(self, model):
        await self.answers()
        for info in await self.list_models():
            if info.id == model:
                return info
        raise llamafarm.ModelNotFound(f"the shelf has no {model}")

    async def list_models(self):
        await self.answers()
        return [self.info(path) for path in sorted(SHELF.glob("*.model"))]

    def info(self, path):
        name = path.stem.replace("|", "/")
        loaded = (SHELF / "loaded").exists()
        return llamafarm.ModelInfo(
            name, frozenset({"chat", "tools"}), 4096, path.stat().st_size, loaded, 2_000_000 if loaded else None, True,
            details={"id": name, "size_bytes": 1500, "family": "oak", "layers": [1, 2]},
        )

    async def health(self):
        if (SHELF / "down").exists():
            return llamafarm.Health(False, "the shelf is down")
        return llamafarm.Health(True, version="2.0")

    async def pull(self, call):
        await self.answers()
        part = self.path(call).with_suffix(".part")
        done = part.stat().st_size if part.exists() else 0
        try:
            for file in range(done, 4):
                call.progress(llamafarm.Progress(
                    "downloading", f"pulling {call.entry.model}", file, 4, f"{file}.bin", file + 1, 4
                ))
                while file == 2 and (SHELF / "hold").exists():
                    await asyncio.sleep(0.01)
                with part.open("a") as open_part:
                    open_part.write("x")
        except asyncio.CancelledError:
            (SHELF / "ended").touch()
            raise
        part.rename(self.path(call))

    async def remove(self, call):
        await self.describe(call.entry.model)
        self.path(call).unlink()

    async def answers(self):
        if (SHELF / "down").exists():
            raise llamafarm.ConnectionFailed("the shelf is down", hint="Put it up.")

    async def aclose(self):
        pass

    def path(self, call):
        return SHELF / (call.entry.model.replace("/", "|") + ".model")

@llamafarm.hookimpl
def register_providers():
    for name, kind in (("shelf", Shelf), ("fixed", Fixed)):
        yield llamafarm.ProviderSpec(
            name=name,
            summary="made for a test",
            entry=llamafarm.ModelEntry,
            endpoint=lambda entry: llamafarm.Endpoint(entry.provider, entry.base_url or "http://127.0.0.1:9"),
            connect=lambda endpoint, kind=kind: kind(),
        )
'''


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@dataclass
class Shop:
    """The project's folder; `runtime` is the folder that the provider `shelf` keeps its models in."""

    folder: Path
    runtime: Path
    run: Callable[..., Ran]

    def put(self, model: str, content: str = "x" * 1500) -> None:
        (self.runtime / f"{model.replace('/', '|')}.model").write_text(content)

    def has(self, model: str) -> bool:
        return (self.runtime / f"{model.replace('/', '|')}.model").exists()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`lf` in a process of its own."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([LF, *arguments], cwd=self.folder, text=True, **pipes)


@pytest.fixture
def shop(install, tmp_path, monkeypatch, capsys) -> Shop:
    """A project with two models of the provider `shelf`: `small`, and `large` of `org/large:Q4`."""
    folder = install("acme-shelf", SHELF)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    (tmp_path / "llamafarm.yaml").write_text(
        "runtime: {models: {small: {provider: shelf, model: small}, large: {provider: shelf, model: 'org/large:Q4'}}}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHELF", str(runtime))
    monkeypatch.setenv("LF_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["lf", *arguments])
        capsys.readouterr()
        code = main.run({})
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return Shop(tmp_path, runtime, run)


def interrupted(process: subprocess.Popen[str], when: str, how: int = signal.SIGINT) -> Ran:
    """Press Ctrl-C, or send another signal, once the process has said `when` on stderr, and wait for its end."""
    assert process.stderr is not None
    said = ""
    end = time.monotonic() + BOUND
    try:
        while when not in said:
            assert time.monotonic() < end
            piece = os.read(process.stderr.fileno(), 4096).decode()
            assert piece, f"ended without {when!r}: {said}"
            said += piece
        process.send_signal(how)
        out, err = process.communicate(timeout=BOUND)
    finally:
        process.kill()
        process.wait()
    return Ran(process.returncode, out, said + err)


@pytest.fixture
def interrupt() -> Callable[..., Ran]:
    return interrupted
