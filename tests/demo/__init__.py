"""The demo keeps its promises, and says so only when it does."""
