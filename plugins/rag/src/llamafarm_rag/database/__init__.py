"""A database: vectors, the ledger of files, and the index of words, held by one process at a time."""
