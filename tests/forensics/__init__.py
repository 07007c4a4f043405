"""What was, told again: the past, timelines, causes, what-if."""
