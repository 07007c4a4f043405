"""The Run aggregate: its events, its state, and the rules that decide."""
