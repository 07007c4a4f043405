"""The fault simulator, and what it finds."""
