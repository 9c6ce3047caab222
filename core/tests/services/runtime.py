"""A small runtime for the tests: answers GET /health. `--mode` makes it fail in some way.

`child` leaves serving to a process that it starts.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

flags = argparse.ArgumentParser()
flags.add_argument("--port", type=int)
flags.add_argument("--mode", default="good")
flags.add_argument("--version", default="1")
flags.add_argument("--starts")
chosen = flags.parse_args()

if chosen.starts:  # one line for each process, so that a test can count them
    with Path(chosen.starts).open("a") as file:
        file.write(f"{os.getpid()}\n")
if chosen.mode == "dies":
    print("loading the engine", flush=True)
    sys.exit("no such engine: warp")
if chosen.mode == "hangs":
    time.sleep(600)
if chosen.mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if chosen.mode == "child":
    command = [sys.executable, __file__, "--port", str(chosen.port), "--mode", "good", "--version", chosen.version]
    sys.exit(subprocess.call(command))
if chosen.mode == "parent":
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(f"helper {helper.pid}", flush=True)


class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        health = {"status": "ok", "kind": "tiny", "version": chosen.version}
        body = json.dumps(health).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", chosen.port), Health)


def linger(*_):
    """Take no more connections, and a moment to end."""
    server.socket.close()
    time.sleep(1)
    os._exit(0)


if chosen.mode == "lingers":
    signal.signal(signal.SIGTERM, linger)
server.serve_forever()
