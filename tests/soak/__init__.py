"""A miniature of `make soak`."""
