"""The audio engine: what is said in recordings, in windows of all requests together, and texts, spoken."""
