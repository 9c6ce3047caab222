"""What a provider is, and what providers share: model entries, calls, replies, pooled HTTP connections."""
