"""The examples are workflows."""

import shutil
from pathlib import Path

import pytest

from redrive.flow_files import read_flow_file
from tests.flow_files.documents import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_can_be_read(path: Path) -> None:
    """They run commands that every POSIX system has."""
    file = read_flow_file(path)
    assert len(file.flow) >= 4
    for node in file.flow.nodes.values():
        assert isinstance(node.params, dict)
        argv = node.params["run"]
        assert isinstance(argv, list)
        assert shutil.which(str(argv[0]))


def test_the_first_example_shows_a_retry() -> None:
    """It is what the README runs."""
    nodes = read_flow_file(ROOT / "examples" / "hello.yaml").flow.nodes.values()
    assert [node.id for node in nodes if node.retry.backoff.initial_delay_ms] == ["flaky"]
