"""Archives of settled records."""
