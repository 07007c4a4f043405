"""Approvals in a resume plan: what is asked, and the line that decides it."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from redrive import Approval, Flow, Node, RunId
from redrive.cli.root import cli
from tests.engine.test_resume_plan import answered, asking, called_off, expired, options_of
from tests.processes.workshop import Shop
from tests.stores import log_url


def decisions(tmp_path: Path, standing: Callable[[Shop], RunId]) -> set[tuple[str | None, bool]]:
    """The approvals in a plan, and whether they can be decided."""
    options = [option for option in options_of(tmp_path, standing) if option.subject == "approval"]
    assert [option.action for option in options] == ["approve", "deny"] * (len(options) // 2)
    return {(option.node, option.possible) for option in options}


def test_a_plan_says_which_approvals_can_be_decided(tmp_path: Path) -> None:
    """Also one that expired a moment ago and nobody looked at; not one that was decided, or of a cancelled run."""
    for folder in "1234":
        (tmp_path / folder).mkdir()
    assert decisions(tmp_path / "1", asking) == {("ask", True), ("-ask too", True)}
    assert decisions(tmp_path / "2", expired) == {("ask", False), ("-ask too", True)}
    assert decisions(tmp_path / "3", answered) == set()
    assert decisions(tmp_path / "4", called_off) == set()


@pytest.mark.parametrize("node", ["ask", "-ask too"])
def test_the_line_of_an_approval_can_be_typed(tmp_path: Path, node: str) -> None:
    """Whatever its node is called."""
    shop = Shop(tmp_path / "log.db")
    run = shop.submit(Flow([Node(node, approval=Approval("Publish?"))]))
    lines = {option.action: option.command for option in shop.acme.resume_plan(run).options if option.possible}
    where = ["--db", log_url(shop.path), "--tenant", str(shop.acme.tenant)]
    result = CliRunner().invoke(cli, [*where, *shlex.split(lines["approve"])[1:]])
    assert (result.exit_code, shop.run_status(run)) == (0, "completed"), result.output
    shop.engine.close()
