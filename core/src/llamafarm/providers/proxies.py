"""The proxy that the environment names for an address: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY."""

from __future__ import annotations

import ssl
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from llamafarm.errors import ConfigError
from llamafarm.providers.address import is_loopback


@dataclass(frozen=True)
class Proxy:
    """A proxy. url: with the credentials, if it has some. variable: what names it."""

    url: str = field(repr=False)
    variable: str

    @property
    def shown(self) -> str:
        """Its address as people may see it: without credentials."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"

    @property
    def has_credentials(self) -> bool:
        return "@" in self.url

    def transport(self, tls: ssl.SSLContext, limits: httpx.Limits) -> httpx.AsyncHTTPTransport:
        """Connections through it. Raises ConfigError where it is of a kind that cannot be used here."""
        own = tls if self.url.startswith("https:") else None
        try:
            return httpx.AsyncHTTPTransport(verify=tls, proxy=httpx.Proxy(self.url, ssl_context=own), limits=limits)
        except ImportError:
            raise ConfigError(
                f"{self.variable} names the proxy {self.shown}, and SOCKS needs a package that is not installed.",
                hint="pip install socksio",
            ) from None
        except (ValueError, httpx.InvalidURL):  # its message would show the credentials
            raise ConfigError(
                f"{self.variable} names {self.shown}, which is no address of a proxy.",
                hint="It is to be like http://proxy.example:3128, a user and a password percent-encoded.",
            ) from None


def proxy_of(url: str) -> Proxy | None:
    """Return the proxy for `url`, or None: loopback addresses never have one."""
    parts = urlsplit(url)
    if is_loopback(url) or not parts.hostname:
        return None
    host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
    proxies = urllib.request.getproxies()
    kind = parts.scheme if proxies.get(parts.scheme) else "all"
    proxy = proxies.get(kind)
    if not proxy or urllib.request.proxy_bypass(host):
        return None
    return Proxy(proxy if "://" in proxy else f"http://{proxy}", f"{kind.upper()}_PROXY")
