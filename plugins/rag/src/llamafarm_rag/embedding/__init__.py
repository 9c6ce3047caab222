"""Texts as vectors, by an embedding strategy of a database."""
