"""The whole engine."""
