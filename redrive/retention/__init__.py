"""Old records that are settled: their bytes are moved into archives, and read from there."""
