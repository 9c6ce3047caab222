"""The proxy that the environment names for an address: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY."""

from __future__ import annotations

import ipaddress
import os
import urllib.request
from dataclasses import dataclass, field
from importlib.util import find_spec
from urllib.parse import unquote, urlsplit

from llamafarm.errors import ConfigError
from llamafarm.http.address import host_and_port, is_loopback


@dataclass(frozen=True)
class Proxy:
    """A proxy. url: with the credentials, if it has some. source: what names it, as sentences begin with it."""

    url: str = field(repr=False)
    source: str

    @property
    def shown(self) -> str:
        """Its address as people may see it: without credentials."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"

    @property
    def has_credentials(self) -> bool:
        return "@" in self.url

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS5; desktops write plain `socks:` for it."""
        return self.url.startswith(("socks:", "socks5:", "socks5h:"))

    def check(self) -> None:
        """Raise ConfigError where its address cannot be used; the message does not show its credentials."""
        try:
            parts = urlsplit(self.url)
            usable = parts.port != 0 and bool(parts.hostname) and (self.is_socks or parts.scheme in ("http", "https"))
        except ValueError:
            usable = False
        if not usable:
            raise ConfigError(
                f"{self.source} names {self.shown}, which is no address of a proxy.",
                hint="It is to be like http://proxy.example:3128 or socks5://proxy.example:1080, a user and a password "
                "percent-encoded.",
            )
        if self.is_socks and find_spec("aiohttp_socks") is None:
            raise ConfigError(
                f"{self.source} names {self.shown}, a SOCKS proxy, for which a library is missing.",
                hint='pip install "llamafarm[socks]" brings it; NO_PROXY names the hosts that need no proxy.',
            )
        if self.is_socks and not unquote(self.url).isascii():
            raise ConfigError(f"{self.source} names {self.shown} with a user or a password that is not ASCII.")


def proxy_of(url: str) -> Proxy | None:
    """Return the proxy for `url`, or None: loopback addresses never have one."""
    parts = urlsplit(url)
    if is_loopback(url) or not parts.hostname:
        return None
    proxies = urllib.request.getproxies()
    kind = parts.scheme if proxies.get(parts.scheme) else "all"
    proxy = proxies.get(kind)
    if (
        not proxy
        or urllib.request.proxy_bypass(f"{parts.hostname}:{host_and_port(url)[1]}")
        or _is_listed(parts.hostname)
    ):
        return None
    return Proxy(proxy if "://" in proxy else f"http://{proxy}", _source(f"{kind}_proxy"))


def _is_listed(host: str) -> bool:
    """Whether NO_PROXY holds the host in a form that urllib does not know but curl, requests or Go do.

    They are networks, such as 10.0.0.0/8, and names with an asterisk, such as *.example.com.
    """
    listed = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    entries = [entry.strip().lower() for entry in listed.split(",")]
    if any(entry.startswith("*.") and host.endswith(entry[1:]) for entry in entries):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(_holds(entry, address) for entry in entries if "/" in entry)


def _holds(network: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _source(variable: str) -> str:
    """The variable, or what stands in for it on macOS and Windows."""
    set_here = variable in os.environ or variable.upper() in os.environ
    return variable.upper() if set_here else "The system's configuration"
