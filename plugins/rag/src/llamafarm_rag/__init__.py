"""Retrieval for LlamaFarm: documents in, answers with checked citations out."""
