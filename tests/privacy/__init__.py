"""Payloads encrypted per subject, and keys that are destroyed."""
