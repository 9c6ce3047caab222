"""What llamafarm.yaml says: the sections `rag` and `datasets`."""
