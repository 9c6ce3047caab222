"""The encode engine: batches by tokens, encoders, and what is made of their vectors."""
