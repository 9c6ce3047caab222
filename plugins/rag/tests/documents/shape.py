"""What tests look at of a document."""

from __future__ import annotations


def texts(document):
    """The texts of its blocks."""
    return [document.text[block.start : block.end] for block in document.blocks]


def outline(document):
    """The texts of its blocks, each with the headings above it."""
    return [(" > ".join(block.heading), text) for block, text in zip(document.blocks, texts(document), strict=True)]
