"""Files that were cut off or changed: they are read, or refused with their cause, and nothing else happens."""

from __future__ import annotations

import io
import logging
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llamafarm_rag.config.processing import ProcessingStrategy
from llamafarm_rag.documents.reading import read
from llamafarm_rag.errors import UnreadableFile
from pdf_file import encrypted, pdf
from shape import texts
from word_file import word


def written_on(document):
    document.add_heading("Install", level=1)
    document.add_paragraph("Run it.", style="List Bullet")
    document.add_table(rows=2, cols=2).rows[1].cells[0].text = "cell"


def unpacked(content):
    """The same archive without compression, so that changed bytes reach the XML."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
    return out.getvalue()


PAPER = pdf(["First page", "Second page"], title="Paper")
WHOLE = {
    "a.pdf": PAPER,
    "encrypted.pdf": encrypted(PAPER, ""),
    "a.docx": word(written_on),
    "unpacked.docx": unpacked(word(written_on)),
    "a.html": b"<html><head><title>T</title></head><body><h1>A<p>b<table><tr><td>1<td>2</table><ul><li>x</ul><pre>y",
    "a.md": b"---\ntitle: T\n---\n# A\n\n- b\n\n| c | d |\n|--|--|\n| 1 | 2 |\n\n```\ncode\n```\n[x]: y\n",
    "a.csv": b'name,says\nAnn,"Hi, all"\nBob,x\n',
    "a.json": b'{"a": [{"b": 1.5}, {"c": [true, null]}], "d": "\\u00e9"}',
    "a.jsonl": b'{"a": 1}\n["b", {"c": 2}]\n',
    "a.py": b"import os\n\n@x\ndef f(a):\n    return 1\n\nclass C:\n    def g(self): ...\n",
    "a.txt": "One.\n\nZwei ä.\n".encode("utf-16"),
}
CHANGES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=4), st.integers(0, 6)), max_size=4)
DEFAULT = ProcessingStrategy(name="default")


def changed(content, changes, length):
    """The content with bytes replaced at places, which are parts of its length, and cut off."""
    for place, bytes_there, removed in changes:
        at = int(place * len(content))
        content = content[:at] + bytes_there + content[at + removed :]
    return content[: int(length * len(content))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    logging.disable()  # libraries have much to say of broken files
    yield tmp_path_factory.mktemp("broken")
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=40, deadline=None)
@given(changes=CHANGES, length=st.floats(0, 1) | st.just(1.0))
def test_a_broken_file_is_read_or_refused(folder, name, changes, length):
    path = folder / name
    path.write_bytes(changed(WHOLE[name], changes, length))
    try:
        document = read(path, DEFAULT)
    except UnreadableFile as refusal:
        assert name in refusal.message
        return
    document.text.encode()
    assert texts(document) == [text for text in texts(document) if text.strip()]
    places = [place for block in document.blocks for place in (block.start, block.end)]
    assert places == sorted(places)
    if name.endswith((".md", ".txt", ".py")):
        covered = {place for block in document.blocks for place in range(block.start, block.end)}
        assert all(place in covered for place, letter in enumerate(document.text) if not letter.isspace())


@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_file_is_read(folder, name):
    (folder / name).write_bytes(WHOLE[name])
    assert read(folder / name, DEFAULT).blocks
