"""Real workflows, real processes, real kills."""
