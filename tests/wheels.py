"""Wheels from text, without a build: for distributions of a module or two that a test makes up."""

from __future__ import annotations

import base64
import hashlib
import textwrap
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

LONG_AGO = (2020, 1, 1, 0, 0, 0)
"""The time of every file in a wheel, so that the same text gives the same bytes."""

WHEEL = "Wheel-Version: 1.0\nGenerator: llamafarm\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheel(
    folder: Path,
    name: str,
    files: Mapping[str, str],
    *,
    version: str = "1.0",
    plugins: Mapping[str, str] | None = None,
    commands: Mapping[str, str] | None = None,
    requires: Iterable[str] = ("llamafarm>=0.1,<0.2",),
) -> Path:
    """Write the wheel of the distribution `name` into `folder` and return its path.

    files: the text of each file by its path in site-packages, indentation taken away. plugins, commands: the entry
    points of LlamaFarm's two groups, name to target.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    required = "".join(f"Requires-Dist: {line}\n" for line in requires)
    content = {path: textwrap.dedent(text) for path, text in files.items()}
    content[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}"
    content[f"{info}/WHEEL"] = WHEEL
    content[f"{info}/entry_points.txt"] = _group("plugins", plugins) + _group("commands", commands)
    content[f"{info}/RECORD"] = "".join(f"{path},{_digest(text)}\n" for path, text in content.items()) + (
        f"{info}/RECORD,,\n"
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-py3-none-any.whl"
    _zip(path, content)
    return path


def _group(group: str, points: Mapping[str, str] | None) -> str:
    lines = "".join(f"{name} = {target}\n" for name, target in (points or {}).items())
    return f"[llamafarm.{group}]\n{lines}\n" if lines else ""


def _digest(text: str) -> str:
    data = text.encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest},{len(data)}"


def _zip(path: Path, content: Mapping[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as wheel:  # stored, not deflated: the bytes do not depend on a version of zlib
        for name, text in content.items():
            member = zipfile.ZipInfo(name, LONG_AGO)
            member.external_attr = 0o644 << 16
            wheel.writestr(member, text)
