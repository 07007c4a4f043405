"""The same failing job on other engines, each in a virtual environment of its own. See docs/reference/peers.md."""
