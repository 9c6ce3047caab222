"""The provider `lemonade`: a Lemonade server, `lemond`, that LlamaFarm can start by itself."""
