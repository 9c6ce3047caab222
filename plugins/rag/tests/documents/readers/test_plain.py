"""Text files."""

from __future__ import annotations

from shape import texts


def test_a_paragraph_is_a_block_at_its_place_in_the_file(read_file):
    content = "\n\nOne line\nand more\r\n \r\n  Indented\n\n\nLast  \n"
    document = read_file("a.txt", content)
    assert document.text == content
    assert texts(document) == ["One line\nand more", "  Indented", "Last"]
    assert not document.blocks[0].by_line


def test_lines_of_a_log_stand_for_themselves(read_file):
    assert read_file("a.log", "12:00 up\n12:01 down\n").blocks[0].by_line
