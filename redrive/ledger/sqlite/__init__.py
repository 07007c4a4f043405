"""A log in a SQLite file."""
