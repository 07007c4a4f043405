"""The soak test: workers that are killed, a service that misbehaves, an operator, and what must hold at the end."""
