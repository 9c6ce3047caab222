"""Agent handlers: each turns one user turn into calls; they form a chain whose end is the provider."""
