"""The append-only log, in a SQLite file or on a PostgreSQL server: mapper, agenda, states, committer, two recorders."""
