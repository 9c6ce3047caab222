"""A plugin of long ago."""
