"""Evidence: what the log says cannot be changed unnoticed."""
