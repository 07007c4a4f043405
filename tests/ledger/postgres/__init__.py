"""What only a log on PostgreSQL has to fear: rivals that do not wait, connections that end, a server that falls."""
