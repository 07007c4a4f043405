"""Tests of what acts: use cases, sweep, worker, and commands as real processes."""
