"""Payloads encrypted per subject, and keys that can be destroyed."""
