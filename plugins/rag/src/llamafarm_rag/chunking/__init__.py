"""Documents cut into chunks, sized in tokens of the embedder."""
