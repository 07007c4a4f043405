"""A larger slice of the suite of the engine, for a tenant that shares three logs with others."""

import pytest

from tests.processes.test_reports_letters import *  # noqa: F403
from tests.processes.test_sweep import *  # noqa: F403
from tests.processes.test_sweep_dispatch import *  # noqa: F403

pytestmark = pytest.mark.long
