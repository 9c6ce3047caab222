"""Which certificates are trusted: those of the bundle that the environment names, else certifi's."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import certifi

from llamafarm.errors import ConfigError

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The first one that is set wins. The first two are OpenSSL's; the others are what users of requests and curl set."""


def trusted_certificates() -> ssl.SSLContext:
    """Return a context that checks certificates. Raises ConfigError where what a variable names cannot be used."""
    for variable in VARIABLES:
        if place := os.environ.get(variable):
            return _context(variable, place)
    return ssl.create_default_context(cafile=certifi.where())


def _context(variable: str, place: str) -> ssl.SSLContext:
    """Trust the file, or the folders of certificates named by their hashes, as `openssl rehash` makes them."""
    folders = place.split(os.pathsep) if variable == "SSL_CERT_DIR" else [place]
    missing = [folder for folder in folders if not Path(folder).exists()]
    if missing:
        raise ConfigError(f"{variable} names {missing[0]}, which does not exist.", hint=_HINT)
    try:
        if Path(folders[0]).is_dir():
            return ssl.create_default_context(capath=place)
        return ssl.create_default_context(cafile=place)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{variable} names {place}, which holds no certificates: {error}", hint=_HINT) from None


_HINT = f"It is to name the certificates to trust; the first of {', '.join(VARIABLES)} that is set counts."
