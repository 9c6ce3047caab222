"""`lemond` for the tests of the service: the played server as a program, with the real one's command line.

    lemond CACHE_DIR [CONFIG_DIR] --port PORT --host HOST --no-broadcast

It knows no other flag, reads `config.json` of its configuration directory, and ends with 1 where the port is taken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from lemonade_server import MODEL, LemonadeServer, Model
from llamafarm_kit.testing import ScriptedUpstream

flags = argparse.ArgumentParser(prog="lemond")
flags.add_argument("folders", nargs="+")
flags.add_argument("--port", type=int, required=True)
flags.add_argument("--host", required=True)
flags.add_argument("--no-broadcast", action="store_true", required=True)
chosen = flags.parse_args()

config = json.loads((Path(chosen.folders[-1]) / "config.json").read_text(encoding="utf-8"))
if config.get("ctx_size") == 13:
    sys.exit("no backend for that")
print("started with", json.dumps({"config": config, "folders": len(chosen.folders)}), flush=True)


async def serve() -> None:
    server = LemonadeServer(
        {MODEL: Model(), "Other": Model(downloaded=False)}, api_key=os.environ.get("LEMONADE_API_KEY")
    )
    upstream = ScriptedUpstream(server)
    upstream.port = chosen.port
    try:
        async with upstream:
            await asyncio.Event().wait()
    except OSError as error:
        sys.exit(f"port {chosen.port}: {error}")


asyncio.run(serve())
