"""DOCX files as a test needs them."""

from __future__ import annotations

import io
import zipfile

import docx


def word(build):
    """The bytes of a document that `build` has filled."""
    document = docx.Document()
    build(document)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def with_part(content, name, replace):
    """The same archive with a part replaced; `replace` gets its bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            data = old.read(member)
            new.writestr(member.filename, replace(data) if member.filename == name else data)
    return out.getvalue()
