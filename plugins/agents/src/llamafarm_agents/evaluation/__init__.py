"""`lf eval`: how often the models of a project are right."""
