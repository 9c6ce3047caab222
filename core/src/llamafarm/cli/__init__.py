"""The command line `lf`: one file per command, each imported when it is called."""
