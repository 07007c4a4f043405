"""Intake: which submissions are the same run, and which are refused whole."""

import math
from collections import Counter
from typing import Any

import pytest

from redrive import Flow, InvalidFlow, InvalidValue, KeyReused, Node, Tenant
from redrive.domain.identity import Principal
from redrive.domain.run.events import RunSubmitted
from tests.processes.workshop import ONE, Shop, chain, nothing_written, policy


def test_the_same_key_is_the_same_run(shop: Shop) -> None:
    """Also after a restart, and after the run has moved on; nothing is written again."""
    run = shop.submit(key="k", input={"x": 1})
    shop.acme.complete_attempt(shop.claim().attempts[0])
    before = shop.engine.ledger.last_position()
    shop.reopen()
    assert shop.submit(key="k", input={"x": 1}) == run
    assert shop.engine.ledger.last_position() == before


@pytest.mark.parametrize(("flow", "given"), [(chain("a", "b"), 1), (ONE, 2), (ONE, None), (ONE, 1.0)])
def test_the_same_key_with_another_flow_or_input_is_refused(shop: Shop, flow: Flow, given: Any) -> None:
    """Whoever asked believes that something else is being done."""
    shop.submit(ONE, key="k", input=1)
    nothing_written(shop, KeyReused, lambda: shop.submit(flow, key="k", input=given))


def test_a_key_belongs_to_an_automation_and_a_tenant(shop: Shop) -> None:
    """Equal keys of two automations, or of two tenants, are two runs."""
    other = shop.engine.for_tenant(Tenant("acme", "billing", "test"))
    runs = {
        shop.submit(key="k"),
        shop.submit(key="k", automation="hourly"),
        other.submit(ONE, automation="nightly", key="k"),
        shop.engine.local.submit(ONE, automation="nightly", key="k", input="other"),
    }
    assert len(runs) == 4


def test_runs_without_a_key_differ(shop: Shop) -> None:
    """A key is a promise; without it each submission is a run."""
    assert len({shop.submit() for _ in range(3)}) == 3


def test_flow_and_policies_are_registered_once_per_tenant(shop: Shop) -> None:
    """Also within one commit, and after a restart."""
    flow = Flow([Node("a", retry=policy(2)), Node("b", retry=policy(2)), Node("c")])
    with shop.engine.batch() as batch:
        for tenant in (shop.acme, shop.acme, shop.engine.local):
            batch.add(tenant.submit, flow, automation="nightly")
    shop.reopen()
    shop.submit(flow)
    topics = Counter((event.tenant, event.topic) for event in shop.log())
    for owner in (shop.acme.tenant, shop.engine.local.tenant):
        assert (topics[owner, "flow.registered"], topics[owner, "policy.registered"]) == (1, 2)


@pytest.mark.parametrize(
    "bad",
    [
        {"input": math.nan},
        {"input": [math.inf]},
        {"input": {"x": 2**53}},
        {"input": -(2**53)},
        {"input": {1: "x"}},
        {"input": {1, 2}},
        {"input": "x" * 1_100_000},
        {"input": dict.fromkeys(("\ud800", "\ufffd"), 1)},
        {"automation": " \t"},
        {"automation": ""},
        {"automation": "x" * 513},
        {"automation": None},
        {"key": " "},
        {"key": 7},
        {"key": "ü" * 300},
        {"actor": " "},
        {"actor": 3},
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(shop: Shop, bad: dict[str, Any]) -> None:
    """The refusal names the field and stays short."""
    refused = nothing_written(shop, InvalidValue, lambda: shop.submit(**bad))
    assert next(iter(bad)) in str(refused)
    assert len(str(refused)) < 400


def test_a_bad_submission_in_a_batch_harms_no_other(shop: Shop) -> None:
    """It raises where it is added; the others are committed."""
    with shop.engine.batch() as batch:
        good = batch.add(shop.acme.submit, ONE, automation="nightly")
        with pytest.raises(InvalidValue):
            batch.add(shop.acme.submit, ONE, automation="nightly", input=math.nan)
    assert shop.run_status(good.result()) == "queued"


@pytest.mark.parametrize("nodes", [[], [("a", ["a"])], [("a", ["b"]), ("b", ["a"])], [("a", ["x"])], [("a", [])] * 2])
def test_a_graph_that_cannot_be_run_is_refused(nodes: list[tuple[str, list[str]]]) -> None:
    """Empty, cyclic, dangling or ambiguous: there is no flow, hence no run."""
    with pytest.raises(InvalidFlow):
        Flow([Node(id_, after=after) for id_, after in nodes])


def test_nul_is_kept_and_lone_surrogates_become_replacement_characters(shop: Shop) -> None:
    """In names, keys and documents alike; and such a key is found again, written either way."""
    run = shop.submit(
        beside_nul := Flow([Node("n\0\ud800")]), automation="a\0", key="k\udfff", input={"\0\ud800": "\udcff"}
    )
    found = shop.acme.show(run)
    assert (found.automation, found.key, found.input) == ("a\0", "k\ufffd", {"\0\ufffd": "\ufffd"})
    assert found.nodes[0].node == "n\0\ufffd"
    assert shop.submit(beside_nul, automation="a\0", key="k\ufffd", input={"\0\ufffd": "\ufffd"}) == run


def test_the_actor_of_a_submission_is_recorded(shop: Shop) -> None:
    """A name is a person; who submits without one is the engine itself."""
    shop.submit(actor="ana")
    shop.submit()
    submitted = [event.actor for event in shop.log() if isinstance(event.event, RunSubmitted)]
    assert submitted == [Principal("human", "ana"), Principal("system", "redrive")]


def test_what_the_host_does_to_its_documents_afterwards_is_not_in_the_run(shop: Shop) -> None:
    """The run has the input of the moment it was submitted."""
    given = {"items": [1]}
    run = shop.submit(input=given)
    given["items"].append(2)
    assert shop.claim().attempts[0].run_input == {"items": [1]}
    assert shop.acme.show(run).input == {"items": [1]}
