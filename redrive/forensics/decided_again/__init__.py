"""Decided again: recorded commands, found in the log and given to the code of today."""
