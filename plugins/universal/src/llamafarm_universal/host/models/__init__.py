"""Models: finding them, reading what they are, loading them and keeping the loaded ones."""
