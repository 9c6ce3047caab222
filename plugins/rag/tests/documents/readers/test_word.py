"""DOCX files."""

from __future__ import annotations

import io
import zipfile

import pytest
from llamafarm_rag.errors import UnreadableFile
from shape import outline, texts
from word_file import with_part, word

BODY = "word/document.xml"


def guide(document):
    document.core_properties.author = "Ann"
    document.add_paragraph("The guide", style="Title")
    document.add_heading("Install", level=1)
    document.add_paragraph("Run it.")
    document.add_heading("On Linux", level=2)
    document.add_paragraph("First", style="List Bullet")
    document.add_paragraph("Second", style="List Number")
    table = document.add_table(rows=3, cols=2)
    for row, cells in zip(table.rows, [("Name", "Town"), ("Ann", "Ely"), ("Bob", "")], strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    document.add_paragraph("Behind it.")


def test_blocks_stand_under_their_headings_and_a_table_keeps_its_header(read_file):
    document = read_file("a.docx", word(guide))
    assert outline(document) == [
        ("", "The guide"),
        ("Install", "Install"),
        ("Install", "Run it."),
        ("Install > On Linux", "On Linux"),
        ("Install > On Linux", "- First"),
        ("Install > On Linux", "- Second"),
        ("Install > On Linux", "Name: Ann; Town: Ely"),
        ("Install > On Linux", "Name: Bob"),
        ("Install > On Linux", "Behind it."),
    ]
    assert document.title == "The guide"
    assert document.metadata == {"author": "Ann"}


def test_without_a_title_the_first_heading_is_the_title(read_file):
    def build(document):
        document.add_heading("Two", level=2)
        document.add_heading("One", level=1)

    assert read_file("a.docx", word(build)).title == "One"


def edited(body):
    """A document whose body is this XML."""
    xml = (
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><w:body>'
        f"{body}</w:body></w:document>"
    )
    return with_part(word(lambda document: None), BODY, lambda _: xml.encode())


def test_what_is_inserted_framed_or_in_a_box_is_read_and_what_is_deleted_is_not(read_file):
    run = "<w:r><w:t>{}</w:t></w:r>".format
    body = (
        f"<w:p>{run('A')}<w:ins>{run(' new')}</w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del>"
        f"<w:moveFrom>{run('moved')}</w:moveFrom><w:r><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t></w:r></w:p>"
        f"<w:sdt><w:sdtContent><w:p>{run('Framed')}</w:p></w:sdtContent></w:sdt>"
        f"<w:p>{run('Text')}<w:r><mc:AlternateContent><mc:Choice><w:txbxContent><w:p>{run('Boxed')}</w:p>"
        f"</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent><w:p>{run('Boxed')}</w:p></w:txbxContent>"
        f"</mc:Fallback></mc:AlternateContent></w:r></w:p>"
    )
    assert texts(read_file("a.docx", edited(body))) == ["A new\tb\nc", "Framed", "Text", "Boxed"]


def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(read_file, monkeypatch):
    monkeypatch.setattr("llamafarm_rag.documents.readers.word.MAX_UNPACKED_BYTES", 20_000_000)
    bomb = with_part(word(lambda document: None), BODY, lambda _: b" " * 21_000_000)
    assert len(bomb) < 100_000
    with pytest.raises(UnreadableFile, match=r"unpacks to 21,\d+,\d+ bytes, and 20,000,000 are the most"):
        read_file("a.docx", bomb)


def test_entities_that_multiply_are_not_followed(read_file):
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    xml = (
        f'<!DOCTYPE x [<!ENTITY e0 "boom">{levels}]>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
        "<w:p><w:r><w:t>Safe &e9;</w:t></w:r></w:p></w:body></w:document>"
    )
    with pytest.raises(UnreadableFile, match="amplification"):
        read_file("a.docx", with_part(word(lambda document: None), BODY, lambda _: xml.encode()))


def test_another_archive_is_no_document(read_file):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.txt", "text")
    with pytest.raises(UnreadableFile, match="is no DOCX: it is another zip archive"):
        read_file("a.docx", out.getvalue())
