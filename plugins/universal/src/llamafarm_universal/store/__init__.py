"""The process that has the files of models: it finds, fetches and deletes them, and reads what they are. No torch."""
