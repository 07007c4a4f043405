"""The whole engine under random commands, reports, clocks, restarts and zombies."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import redrive
from redrive import Approval, Attempt, Claim, Failure, Flow, Node, Rate, Refused, RetryPolicy, Wait, Withhold
from redrive.domain.run.events import AttemptStarted, RunClaimed
from tests.engine.model import check_log, check_views
from tests.stores import log_url

MODES = ("fail_run", "pause_for_review", "dead_letter")
KINDS: tuple[dict[str, Any], ...] = (
    *({},) * 5,
    {"approval": Approval("go on?")},
    {"approval": Approval("go on?", timeout_ms=2_050)},
    {"wait": Wait(delay_ms=50)},
    {"wait": Wait(delay_ms=0)},
    {"wait": Wait(until_ms=1_000_060)},
)
CLASSES = ("provider_transient", "execution_error", "provider_auth")


def policies() -> st.SearchStrategy[RetryPolicy]:
    """Small policies of every mode, with and without backoff."""
    return st.builds(
        lambda attempts, delay, mode: RetryPolicy.from_document(
            {
                "max_attempts": attempts,
                "backoff": {"strategy": "fixed", "initial_delay_ms": delay},
                "terminal_behavior": {"mode": mode},
            }
        ),
        st.integers(1, 3),
        st.sampled_from((0, 50)),
        st.sampled_from(MODES),
    )


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """Graphs of one to five nodes, some of them approvals and timed waits."""
    nodes: list[Node] = []
    for number in range(draw(st.integers(1, 5))):
        parents = draw(st.lists(st.sampled_from([node.id for node in nodes]), max_size=2)) if nodes else []
        kind = draw(st.sampled_from(KINDS))
        limited: dict[str, Any] = {
            name: draw(st.sampled_from((None, None, "r", "s"))) for name in ("resource", "provider")
        }
        nodes.append(Node(f"n{number}", after=parents, retry=draw(policies()), **(kind or limited)))
    return Flow(nodes)


class EngineMachine(RuleBasedStateMachine):
    """Commands are given at random; refusals are fine, anything else that is raised is a bug."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="redrive-machine-")
        self.now_ms = 1_000_000
        self.claims: list[Claim] = []
        self.attempts: list[Attempt] = []
        self.runs: list[redrive.RunId] = []
        self.open()

    def open(self) -> None:
        """Open the log, as a fresh process would."""
        url = log_url(Path(self.folder.name) / "log.db")
        self.engine = redrive.open(url, clock=lambda: self.now_ms, dice=lambda: 0.5, gate=self.gate)
        self.acme = self.engine.local

    def gate(self) -> Withhold | None:
        """What keeps effects from being sent."""
        return None

    def some(self, data: st.DataObject, of: list[Any]) -> Any:
        """One of *of*; the newest are the likeliest."""
        return of[-1 - min(data.draw(st.integers(0, 3)), len(of) - 1)]

    def attempt(self, command: Any, *arguments: Any, **more: Any) -> Any:
        """Give a command that may be refused."""
        try:
            return command(*arguments, **more)
        except Refused:
            return None

    @rule(flow=flows())
    def submit(self, flow: Flow) -> None:
        self.runs.append(self.acme.submit(flow, automation="a"))

    @rule(start=st.booleans())
    def claim(self, start: bool) -> None:
        claim = self.acme.claim(worker="w", lease_ms=60_000, start=start)
        if claim is not None:
            self.claims.append(claim)
            self.attempts += claim.attempts

    @rule(data=st.data())
    def start_more(self, data: st.DataObject) -> None:
        if self.claims:
            self.attempts += self.attempt(self.acme.start_attempts, self.some(data, self.claims)) or []

    @rule(data=st.data(), times=st.integers(1, 2))
    def succeed(self, data: st.DataObject, times: int) -> None:
        if self.attempts:
            attempt = self.some(data, self.attempts)
            for _ in range(times):
                self.attempt(self.acme.complete_attempt, attempt, {"done": attempt.lifetime})

    @rule(data=st.data(), failure_class=st.sampled_from(CLASSES), times=st.integers(1, 3))
    def fail(self, data: st.DataObject, failure_class: str, times: int) -> None:
        if self.attempts:
            attempt = self.some(data, self.attempts)
            answers = [
                self.attempt(self.acme.fail_attempt, attempt, Failure(failure_class, "boom")) for _ in range(times)
            ]
            assert all(answer == answers[0] for answer in answers), "the same report has the same answer"

    @rule(data=st.data())
    def snooze(self, data: st.DataObject) -> None:
        if self.attempts:
            self.attempt(self.acme.snooze_attempt, self.some(data, self.attempts), 70)

    @rule(data=st.data())
    def heartbeat_or_release(self, data: st.DataObject) -> None:
        if self.claims:
            verb = data.draw(st.sampled_from((self.acme.heartbeat, self.acme.release)))
            self.attempt(verb, self.some(data, self.claims))

    @rule(step=st.sampled_from((1, 50, 2_000, 61_000, -5_000)))
    def time_passes(self, step: int) -> None:
        self.now_ms += step

    @rule()
    def tick(self) -> None:
        self.engine.tick()

    @rule(data=st.data(), verb=st.sampled_from(("pause", "resume", "cancel", "recover", "resume", "recover")))
    def operate(self, data: st.DataObject, verb: str) -> None:
        if self.runs:
            self.attempt(getattr(self.acme, verb), self.some(data, self.runs), actor="ana", reason="test")

    @rule(data=st.data(), verb=st.sampled_from(("approve", "approve", "deny")), times=st.integers(1, 2))
    def decide(self, data: st.DataObject, verb: str, times: int) -> None:
        pending = self.acme.queue("awaiting_approval").items
        if pending:
            asked = self.some(data, list(pending))
            for _ in range(times):
                self.attempt(getattr(self.acme, verb), asked.run_id, asked.node, actor="ana", reason="test")

    @rule(data=st.data(), verb=st.sampled_from(("request_retry",) * 3 + ("ignore", "abandon", "reopen", "resolve")))
    def dispose(self, data: st.DataObject, verb: str) -> None:
        letters = self.acme.dead_letters().items
        if letters:
            letter = self.some(data, list(reversed(letters)))
            self.attempt(getattr(self.acme, verb), letter.id, actor="ana", reason="test")

    @rule(data=st.data())
    def grant(self, data: st.DataObject) -> None:
        letters = self.acme.dead_letters().items
        if letters:
            self.attempt(self.acme.grant_retries, self.some(data, list(letters)).id, 2, actor="ana", reason="test")

    @rule(
        key=st.sampled_from(
            (
                ("total", ""),
                ("tenant", "local/default/default"),
                ("resource", "r"),
                ("resource", "s"),
                ("provider", "r"),
            )
        ),
        concurrency=st.sampled_from((None, 0, 1, 1, 1, 2)),
        rate=st.sampled_from((None, None, Rate(1, 100), Rate(2, 3_000, 3))),
    )
    def limit(self, key: tuple[Any, str], concurrency: int | None, rate: Rate | None) -> None:
        scope, name = key
        if concurrency is not None or rate is not None:
            self.engine.set_limit(redrive.Limit(scope, name, concurrency, rate), actor="ana", reason="test")
        elif any((known.scope, known.name) == key for known in self.engine.limits()):
            self.engine.remove_limit(scope, name, actor="ana", reason="test")

    @invariant()
    def nothing_starts_beyond_a_limit(self) -> None:
        events = [recorded.event for recorded in self.engine.ledger.read(0, 100_000)]
        started = [event for event in events if isinstance(event, (RunClaimed, AttemptStarted))]
        assert all(use.used <= use.of for event in started for use in event.limits)

    @rule()
    def crash(self) -> None:
        self.engine.close()
        self.open()

    @invariant()
    def states_in_memory_equal_the_log(self) -> None:
        for run_id in self.runs[-2:]:
            cached = self.engine.ledger.committer.states.get(run_id)
            assert cached is not None
            assert cached.state == self.engine.ledger.run_state(None, run_id)

    def teardown(self) -> None:
        check_log(self.engine)
        check_views(self.engine)
        self.drain()
        check_log(self.engine)
        check_views(self.engine)
        self.engine.close()
        self.folder.cleanup()

    def next_due_ms(self) -> int | None:
        """When the next thing on the agenda is due."""
        dues = [row.due_ms for row in self.engine.ledger.agenda_rows()]
        dues.append(self.engine.ledger.capacity().next_ms(None, None, None))
        return min((due for due in dues if due is not None), default=None)

    def drain(self) -> None:
        """Faults off: whatever is due is executed and succeeds; then nothing may be left on the agenda."""
        for limit in self.engine.limits():
            if limit.concurrency == 0:
                self.engine.remove_limit(limit.scope, limit.name, actor="ana", reason="test")  # type: ignore[arg-type]
        for _ in range(2_000):
            due = self.next_due_ms()
            if due is None:
                break
            self.now_ms = max(self.now_ms + 1_000, due)
            self.engine.tick()
            while (claim := self.acme.claim(worker="w", start=True)) is not None:
                self.finish(claim)
        assert self.next_due_ms() is None, "something is stuck"
        for asked in self.acme.queue("awaiting_approval").items:
            assert asked.due_ms is None, "an approval with a timeout has expired"
        assert all(self.acme.show(run).status not in ("queued", "running") for run in self.runs)

    def finish(self, claim: Claim) -> None:
        """Execute a claim until it ends."""
        todo = list(claim.attempts)
        while todo:
            progress = self.attempt(self.acme.complete_attempt, todo.pop(), None)
            if not todo and progress is not None and progress.status == "running":
                todo += self.acme.start_attempts(claim)


EngineMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestEngine = EngineMachine.TestCase
