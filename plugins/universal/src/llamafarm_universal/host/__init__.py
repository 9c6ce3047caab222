"""The engine host: the child process that holds the models. All of torch lives below here."""
