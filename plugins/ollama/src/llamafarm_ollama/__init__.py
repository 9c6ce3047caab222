"""The provider `ollama`: an Ollama server, over its own API."""
