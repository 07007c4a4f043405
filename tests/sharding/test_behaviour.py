"""A slice of the suite of the engine, for a tenant that shares three logs with others: it notices nothing of it."""

from tests.processes.test_intake import *  # noqa: F403
