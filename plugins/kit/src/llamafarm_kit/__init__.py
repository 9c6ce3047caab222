"""For authors of LlamaFarm plugins: contract tests (`testing`), new plugins (`scaffold`), a check of those there."""
