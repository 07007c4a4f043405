"""Effects over HTTP, and the loopback service that they are sent to."""
