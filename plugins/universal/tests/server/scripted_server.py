"""A program: the server as users run it, with scripted processes behind it."""

from __future__ import annotations

import sys

from llamafarm.web import listen, run
from llamafarm_universal.server.runtime import Runtime
from llamafarm_universal.server.serve import Server
from llamafarm_universal.server.settings import read_settings

if __name__ == "__main__":
    settings = read_settings(sys.argv[1:], {})
    with listen(settings.host, settings.port) as listener:
        run(Server(Runtime(settings, target="scripted_host:run", store="scripted_store:run")), listener)
