"""Services: runtimes that LlamaFarm starts, watches and stops by itself."""
