"""Tests of what is shipped: the wheel, its refusal to be built empty, the cost of the import."""
