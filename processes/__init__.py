"""What acts: use cases, sweep, leases and workers over the rules and the views."""
