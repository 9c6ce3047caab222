"""PDFs as a test needs them: pages of lines in Helvetica, written by hand."""

from __future__ import annotations

import io

from pypdf import PdfReader, PdfWriter


def pdf(pages, title=None, author=None):
    """The bytes of a PDF.

    pages: the text of each, line by line; None is a page with nothing on it. A line that begins with `# ` is set in
    larger letters, and an empty one is a gap.
    """
    contents = [_content(page.split("\n")) if page else b"" for page in pages]
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    information = "".join(f"/{key} ({value})" for key, value in (("Title", title), ("Author", author)) if value)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, content in enumerate(contents):
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
            f"/Contents {5 + 2 * number} 0 R >>".encode(),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        ]
    return _file([*objects, f"<< {information} >>".encode()])


def encrypted(content, password, owner="owner"):
    """The same PDF, which opens with a password; an empty one is none."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(content)))
    writer.encrypt(password, owner, algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _content(lines):
    height, shown = 780, []
    for line in lines:
        height -= 30 if line.startswith("# ") else 16
        if line:
            shown.append(_shown(line, height))
    return b"BT %s ET" % b" ".join(shown)


def _shown(line, height):
    size, text = (18, line[2:]) if line.startswith("# ") else (11, line)
    text = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return b"/F1 %d Tf 1 0 0 1 60 %d Tm (%s) Tj" % (size, height, text.encode("cp1252"))


def _file(objects):
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\n" % (len(objects) + 1, len(objects))
    return bytes(out) + head + trailer + b"startxref\n%d\n%%%%EOF\n" % len(out)
