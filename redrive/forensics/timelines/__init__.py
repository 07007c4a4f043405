"""Timelines: what happened to one thing as spans and moments; in characters, and as a picture."""
