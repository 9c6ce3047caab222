"""The proxy that the environment names for an address: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY."""

from __future__ import annotations

import urllib.request
from urllib.parse import urlsplit

from llamafarm.providers.address import is_loopback


def proxy_of(url: str) -> str | None:
    """Return the URL of the proxy for `url`, or None: loopback addresses never have one."""
    parts = urlsplit(url)
    if is_loopback(url) or not parts.hostname:
        return None
    host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
