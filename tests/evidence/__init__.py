"""Trees, notes, seals, and what verifying them finds."""
