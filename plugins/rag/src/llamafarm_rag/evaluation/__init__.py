"""`lf eval rag`: how often what is found and answered is right."""
