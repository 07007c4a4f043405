"""Workflow files: what they mean, and how what cannot be meant is refused."""
