"""``redrive anchor``: tell a checkpoint to somebody outside of the database."""

