"""An engine of LlamaFarm's Universal Runtime whose models are bells."""
