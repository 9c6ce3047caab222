"""The provider `universal`, and the Universal Runtime behind it."""
