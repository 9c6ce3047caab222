"""The text engine: decoder models that continue a text."""
