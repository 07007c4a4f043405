"""An event-sourced reliability engine: retries, dead letters and redrives as facts in a log."""
