"""Benchmarks: run them by hand (``make bench``), never as tests. Each prints a Markdown table."""
