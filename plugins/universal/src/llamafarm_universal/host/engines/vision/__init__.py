"""The vision engine: what models see in pictures."""
