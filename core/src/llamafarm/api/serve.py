"""`lf serve`: the API in a process of its own."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from llamafarm.api.app import create_app
from llamafarm.api.registry import Projects
from llamafarm.api.settings import Limits, Settings
from llamafarm.config import load_project, refuse_own_address
from llamafarm.gateway import Gateway
from llamafarm.paths import data_dir
from llamafarm.project import Project
from llamafarm.sessions import SessionStore
from llamafarm.web.listener import listen, url_of
from llamafarm.web.server import FAREWELL_SECONDS, Server, run
from llamafarm.web.workers import supervise

if TYPE_CHECKING:
    from llamafarm.plugins.manager import PluginManager

log = logging.getLogger(__name__)

GRACE_SECONDS = 10
"""How long answers that are running when the server is told to stop may take to end."""


def serve(
    host: str,
    port: int,
    *,
    plugins: PluginManager,
    config: Path | None = None,
    debug: bool = False,
    workers: int = 1,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Serve until SIGTERM or Ctrl-C. port 0: any free one; config: the file of the default project, if there is one.

    workers: how many processes answer on the one socket. The address is printed on stderr. Raises UsageError where the
    address cannot be used, or may not be without a key, and ConfigError for a wrong configuration, also one whose model
    entry points back at this server.
    """
    _log_to_stderr(debug=debug)
    limits = Limits.of(environ, host=host)
    with listen(host, port) as listener:
        own_port = listener.getsockname()[1]

        def load(path: Path) -> Project:
            project = load_project(path, plugins, environ=environ)
            refuse_own_address(project, host, own_port)
            return project

        gateway = Gateway(plugins, sessions=SessionStore(data_dir(environ) / "sessions.db"))
        root = data_dir(environ) / "projects"
        default = load(config) if config else None
        projects = Projects(default, root=root, load=load)
        if default is None:
            log.warning("There is no llamafarm.yaml here, so that only the projects below %s are served.", root)
        app = create_app(Settings(gateway, projects, plugins, limits))
        for warning in plugins.warnings:  # all plugins are loaded now
            log.warning("%s", warning)
        if workers == 1:
            run(Server(app, grace=GRACE_SECONDS, announce=_announce), listener)
        else:
            _announce(url_of(listener))
            worker = Server(app, grace=GRACE_SECONDS, announce=lambda _: None, parent=os.getpid())
            supervise(lambda: run(worker, listener), workers, grace=GRACE_SECONDS + 2 * FAREWELL_SECONDS)


def _announce(url: str) -> None:
    print(f"LlamaFarm listens on {url}/v1", file=sys.stderr, flush=True)  # noqa: T201


def _log_to_stderr(*, debug: bool) -> None:
    """Requests and their outcomes; never what was said in them. Tracebacks of plugins show with --debug."""
    # Who has logged is in no line, and looking it up costs: Python's logging HOWTO, "Optimization".
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("llamafarm").setLevel(logging.DEBUG if debug else logging.INFO)
