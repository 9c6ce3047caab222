"""How long until `lf chat` shows its first token, with the runtime up, beside the `openai` client asking it directly?

Budget: 1.5 s for the command, from its start to the first byte on stdout. The peer is a Python program of five lines
that sends the same question to the same runtime: what `lf chat` adds is configuration, plugins and the gateway.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from processes import free_port

BUDGET_SECONDS = 1.5
ROUNDS = 7
LF = str(Path(sys.executable).parent / "lf")
QUESTION = "What is LlamaFarm?"
MODEL = "package:llamafarm_universal/demo_model"

CLIENT = """
import sys
from openai import OpenAI
client = OpenAI(base_url=sys.argv[1], api_key="none")
messages = [{"role": "user", "content": sys.argv[3]}]
for chunk in client.chat.completions.create(model=sys.argv[2], messages=messages, stream=True):
    print(chunk.choices[0].delta.content or "", end="", flush=True)
"""


def seconds_to_first_byte(command: list[str], folder: str, environ: dict[str, str]) -> float:
    """Seconds from starting `command` to its first byte on stdout."""
    began = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.read(1)
        took = time.perf_counter() - began
        process.stdout.read()
    if not first:
        sys.exit(f"no answer from {command[0]}")
    return took


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        port = str(free_port())
        environ = {**os.environ, "LF_DATA_DIR": f"{folder}/data", "UNIVERSAL_RUNTIME_PORT": port}
        ours = [LF, "chat", QUESTION]
        peer = [sys.executable, "-c", CLIENT, f"http://127.0.0.1:{port}/v1", MODEL, QUESTION]
        subprocess.run([LF, "init"], cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL)
        try:
            cold = seconds_to_first_byte(ours, folder, environ)
            rows = [(seconds_to_first_byte(ours, folder, environ), seconds_to_first_byte(peer, folder, environ))
                    for _ in range(ROUNDS)]  # fmt: skip
        finally:
            subprocess.run([LF, "stop"], cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL)
    warm, client = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"lf chat, nothing running    {cold:6.2f} s")
    print(f"lf chat, runtime up         {warm:6.2f} s   {warm / client:.2f} of the openai client")
    print(f"openai client, runtime up   {client:6.2f} s")
    if warm > BUDGET_SECONDS:
        sys.exit(f"over the budget of {BUDGET_SECONDS} s")


if __name__ == "__main__":
    main()
