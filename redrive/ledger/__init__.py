"""The append-only log on SQLite: mapper, recorder, agenda, states, committer."""
