"""The agent handler `classifier`: sorts what users write into classes."""
