"""The engine hosts of a server: which there are, what keeps them running, and how they are spoken to."""
