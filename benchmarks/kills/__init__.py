"""Real processes on one log that are killed with SIGKILL, and what must hold afterwards."""
