"""``redrive demo``: a service that misbehaves on schedule, and what redrive makes of it."""
