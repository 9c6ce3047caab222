"""What a model entry of provider `echo` says in llamafarm.yaml."""

from __future__ import annotations

import shlex
import sys

import llamafarm
from pydantic import Field

OWN_PROGRAM = [sys.executable, "-m", "llamafarm_echo_process.program"]


class EchoEntry(llamafarm.ModelEntry):
    """A model of a program that answers on its standard output."""

    command: list[str] = Field(
        default=OWN_PROGRAM, min_length=1, description="The program and its arguments, by default one that comes along."
    )
    base_url: None = Field(default=None, description="Not for this provider: a program has no address.")
    api_key: None = Field(default=None, description="Not for this provider: a program asks for no key.")


def endpoint(entry: EchoEntry) -> llamafarm.Endpoint:
    """What the entry's program is told apart by: its command line stands where other providers have a URL."""
    return llamafarm.Endpoint(entry.provider, shlex.join(entry.command), timeouts=entry.timeouts)
