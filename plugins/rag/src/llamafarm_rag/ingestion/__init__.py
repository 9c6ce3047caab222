"""Files of a dataset into its database."""
