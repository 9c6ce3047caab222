"""The address that a server listens on, and who can reach it."""

from __future__ import annotations

import errno
import os
import socket

from llamafarm.errors import UsageError
from llamafarm.http.address import is_loopback_host


def require_key(host: str, key: str | None, *, variable: str) -> None:
    """Raises UsageError where other machines can reach `host` and no key keeps them out; `variable` sets the key."""
    if key is None and not is_loopback_host(host):
        raise UsageError(
            f"Other machines can reach {host or 'every address'}, so a key is needed.",
            hint=f"Set {variable} to a secret that clients then send, or listen on 127.0.0.1.",
        )


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0: any free one. Raises UsageError where the address cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = family is socket.AF_INET6 and socket.has_dualstack_ipv6()  # `::` is every address of either kind
    name = host.strip("[]")
    try:
        socket.getaddrinfo(name or None, port, family, socket.SOCK_STREAM)
        return socket.create_server((name, port), family=family, backlog=2048, dualstack_ipv6=both)
    except socket.gaierror as error:
        raise UsageError(f"There is no address {host!r}: {error.strerror}.", status=400) from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            hint = "Stop the program that uses it, or choose another one with --port."
            raise UsageError(f"Port {port} of {host} is in use.", hint=hint) from None
        raise UsageError(f"The server cannot listen on {host}, port {port}: {_reason(error)}.") from None


def url_of(listener: socket.socket) -> str:
    """The URL of a socket that listens, without a path."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _reason(error: OSError) -> str:
    """Without what Python adds to it."""
    return os.strerror(error.errno) if error.errno is not None else str(error)
