"""New plugins: a complete distribution, written from the templates in this package."""
