"""Views: the log folded into disposable SQLite databases."""
