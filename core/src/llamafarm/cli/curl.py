"""`lf chat --curl`: the same request as a command line of curl, to be pasted."""

from __future__ import annotations

import json
import os
import shlex
from typing import Any

DEFAULT_SERVER = "http://127.0.0.1:8000"


def curl(request: dict[str, Any], *, server_url: str | None, session: str | None) -> str:
    """Return a curl command that sends `request` to the API; the key stays in its variable."""
    from llamafarm.http.address import normalize_base_url

    words = ["curl", "--no-buffer", normalize_base_url(server_url or DEFAULT_SERVER) + "/chat/completions"]
    words += ["-H", "Content-Type: application/json"]
    if session:
        words += ["-H", f"X-Session-ID: {session}"]
    words += ["-d", json.dumps(request, ensure_ascii=False)]
    key = ' -H "Authorization: Bearer $LF_API_KEY"' if os.environ.get("LF_API_KEY") else ""
    return shlex.join(words) + key
