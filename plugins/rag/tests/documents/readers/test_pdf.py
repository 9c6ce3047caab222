"""PDF files."""

from __future__ import annotations

import pytest
from llamafarm_rag.errors import UnreadableFile
from pdf_file import encrypted, pdf
from shape import outline, texts


def test_each_page_has_its_number(read_file):
    document = read_file("a.pdf", pdf(["First page (of two)", "Second page"], title="The paper", author="Ann"))
    assert texts(document) == ["First page (of two)", "Second page"]
    assert [block.page for block in document.blocks] == [1, 2]
    assert document.title == "The paper"
    assert document.metadata == {"pages": 2, "author": "Ann"}


def test_large_letters_are_headings_and_gaps_begin_paragraphs(read_file):
    first = "# On farms\nThere is a farm in the valley,\nand it has a barn.\n\nIt has llamas, too."
    second = "They eat grass all the day,\nand hay at night.\n# How they\n# are kept\nIn the barn."
    document = read_file("a.pdf", pdf([first, second]))
    assert outline(document) == [
        ("On farms", "On farms"),
        ("On farms", "There is a farm in the valley,\nand it has a barn."),
        ("On farms", "It has llamas, too."),
        ("On farms", "They eat grass all the day,\nand hay at night."),
        ("How they are kept", "How they are kept"),
        ("How they are kept", "In the barn."),
    ]
    assert [block.page for block in document.blocks] == [1, 1, 1, 2, 2, 2]
    assert document.title == "On farms"


def test_where_most_letters_are_large_none_are_headings(read_file):
    document = read_file(
        "a.pdf", pdf(["Small words are the most words of this page\n# Large words are many words, too"])
    )
    assert {block.heading for block in document.blocks} == {()}


def test_a_table_of_contents_has_no_headings(read_file):
    page = "# Contents\n# 1 Farms . . . . . . . . . 1\n" + "And now for text that is long enough to be usual.\n" * 3
    assert [block.heading for block in read_file("a.pdf", pdf([page])).blocks][-1] == ("Contents",)


def test_words_that_line_ends_cut_are_whole_again(read_file):
    assert texts(read_file("a.pdf", pdf(["The retrie-\nval of 3-\n4 texts"]))) == ["The retrieval of 3-\n4 texts"]


def test_pages_without_text_are_counted(read_file):
    document = read_file("a.pdf", pdf([None, "Text"]))
    assert [block.page for block in document.blocks] == [2]
    assert document.metadata["pages_without_text"] == 1


def test_a_file_of_pictures_is_told_with_what_helps(read_file):
    with pytest.raises(UnreadableFile, match=r"has 2 pages and no text: they are pictures\.\n.*ocrmypdf"):
        read_file("a.pdf", pdf([None, None]))


def test_an_encrypted_file_is_read_where_it_asks_for_no_password(read_file):
    assert texts(read_file("a.pdf", encrypted(pdf(["Open"]), ""))) == ["Open"]
    with pytest.raises(UnreadableFile, match="opens with a password only"):
        read_file("a.pdf", encrypted(pdf(["Closed"]), "secret"))


@pytest.mark.parametrize("title", ["untitled", "Microsoft Word - x", "paper_final.docx"])
def test_titles_that_programs_made_up_are_not_taken(read_file, title):
    assert read_file("a.pdf", pdf(["Text"], title=title)).title == "a"
