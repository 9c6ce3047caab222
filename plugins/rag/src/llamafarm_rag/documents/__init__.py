"""Files as documents: their text, and where in it pages and headings are."""
