"""Makes the corpus: copies the documents that are text, and writes the DOCX and PDF ones from their sources."""

from __future__ import annotations

import shutil
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import docx
from docx.document import Document as Docx
from docx.enum.text import WD_BREAK
from fpdf import FPDF
from rag_corpus.sources import Block, Heading, Item, PageBreak, Paragraph, Table, blocks

DOCUMENTS = Path(__file__).with_name("documents")
MADE_AT = datetime(2025, 11, 1, tzinfo=UTC)
"""The time that stands in made files, so that making them again gives the same bytes."""

DOCX_SOURCE = ".docx.md"
PDF_SOURCE = ".pdf.md"
_PDF_HEADING_POINTS = {1: 18, 2: 14, 3: 12}


def make_corpus(folder: Path) -> None:
    """Write the whole corpus under `folder`, by topic. What lies there under the same name is replaced."""
    for source in sorted(path for path in DOCUMENTS.rglob("*") if path.is_file()):
        made = folder / made_name(source.relative_to(DOCUMENTS).as_posix())
        made.parent.mkdir(parents=True, exist_ok=True)
        if source.name.endswith(DOCX_SOURCE):
            made.write_bytes(docx_of(source.read_text(encoding="utf-8")))
        elif source.name.endswith(PDF_SOURCE):
            made.write_bytes(pdf_of(source.read_text(encoding="utf-8")))
        else:
            shutil.copyfile(source, made)


def made_name(source: str) -> str:
    """The name in the made corpus of a file under `documents`: `rules/bylaws.pdf.md` becomes `rules/bylaws.pdf`."""
    return source.removesuffix(".md") if source.endswith((DOCX_SOURCE, PDF_SOURCE)) else source


def docx_of(source: str) -> bytes:
    """A DOCX document with headings, lists and tables as Word has them."""
    document = docx.Document()
    document.core_properties.created = document.core_properties.modified = MADE_AT
    for block in blocks(source):
        _add_to_docx(document, block)
    written = BytesIO()
    document.save(written)
    return _with_fixed_times(written.getvalue())


def _add_to_docx(document: Docx, block: Block) -> None:
    match block:
        case Heading(level, text):
            document.add_heading(text, level)
        case Paragraph(text):
            document.add_paragraph(text)
        case Item("-", text):
            document.add_paragraph(text, style="List Bullet")
        case Item(mark, text):
            document.add_paragraph(f"{mark} {text}", style="List")
        case PageBreak():
            document.add_paragraph().add_run().add_break(WD_BREAK.PAGE)
        case Table(rows):
            table = document.add_table(len(rows), len(rows[0]))
            for row, cells in zip(table.rows, rows, strict=True):
                for cell, text in zip(row.cells, cells, strict=True):
                    cell.text = text


def _with_fixed_times(archive: bytes) -> bytes:
    """The same ZIP archive with `MADE_AT` as the time of each part: python-docx writes the present one."""
    written = BytesIO()
    with zipfile.ZipFile(BytesIO(archive)) as parts, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as fixed:
        for name in parts.namelist():
            fixed.writestr(zipfile.ZipInfo(name, MADE_AT.timetuple()[:6]), parts.read(name), zipfile.ZIP_DEFLATED)
    return written.getvalue()


class _NumberedPdf(FPDF):
    """A PDF with the number of the page at its foot."""

    def footer(self) -> None:
        self.set_y(-15)
        self.set_font("Helvetica", size=9)
        self.cell(0, 10, f"Page {self.page_no()}", align="C")


def pdf_of(source: str) -> bytes:
    """A PDF of A4 pages; its fonts are of the standard ones, so a source keeps to the characters of Latin-1."""
    pdf = _NumberedPdf(format="A4")
    pdf.set_creation_date(MADE_AT)
    pdf.add_page()
    for block in blocks(source):
        _add_to_pdf(pdf, block)
    return bytes(pdf.output())


def _add_to_pdf(pdf: FPDF, block: Block) -> None:
    match block:
        case Heading(level, text):
            pdf.ln(2)
            _write_line(pdf, text, style="B", points=_PDF_HEADING_POINTS[level])
        case Paragraph(text):
            _write_line(pdf, text)
        case Item(mark, text):
            _write_line(pdf, f"{mark} {text}")
        case PageBreak():
            pdf.add_page()
        case Table(rows):
            pdf.set_font("Helvetica", size=10)
            with pdf.table(rows):
                pass  # it is drawn when the block ends
            pdf.ln(2)


def _write_line(pdf: FPDF, text: str, style: str = "", points: int = 11) -> None:
    """One paragraph, broken into lines as wide as the page."""
    pdf.set_font("Helvetica", style=style, size=points)
    pdf.multi_cell(0, points / 2, text, new_x="LMARGIN", new_y="NEXT")
    pdf.ln(2)
