"""Evidence bundles: part of a log with what proves it, in one file that is verified and opened elsewhere."""
