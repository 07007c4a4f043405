"""A log in a PostgreSQL database: ``redrive[postgres]``."""
