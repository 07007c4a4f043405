"""Effects: actions on the outside world, each with one durable intent before it is sent."""
