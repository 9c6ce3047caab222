"""Readers, one for each kind of file: `read(source) -> Document`, which may raise anything for a broken file."""
