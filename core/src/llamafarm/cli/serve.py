"""`lf serve`."""

from __future__ import annotations

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes that answer.")
def serve(host: str, port: int, workers: int) -> None:
    """Serve the OpenAI-compatible API.

    An address that other machines can reach needs a key in LF_API_KEY.

    Workers share the address and the sessions; connections to runtimes and what /health heard last are each one's own.
    """
    from llamafarm.api.serve import serve as serve_api
    from llamafarm.cli.app import current_app

    app = current_app()
    serve_api(host, port, config=app.config_path, plugins=app.plugins, debug=app.debug, workers=workers)
