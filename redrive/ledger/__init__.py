"""The append-only log, in an SQLite file or on a PostgreSQL server: mapper, agenda, states, committer, and a recorder for
each store."""
