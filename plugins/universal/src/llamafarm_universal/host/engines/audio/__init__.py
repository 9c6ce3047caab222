"""The audio engine: what is said in recordings, batched over windows and requests."""
