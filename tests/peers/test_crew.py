"""Processes that go through the phases together."""

from functools import partial
from threading import BrokenBarrierError

import pytest

from benchmarks.peers.drivers.crew import Together, alone, crew, phases
from benchmarks.peers.drivers.lifecycles import Provider, ProviderDownError


class Ideal:
    """A worker with a store in its head: two attempts fail, the third is after the operator's."""

    def __init__(self, provider: Provider) -> None:
        self.provider, self.jobs = provider, range(0)

    def submit(self, jobs: range) -> None:
        """Remember."""
        self.jobs = jobs

    def work(self) -> None:
        """Twice in vain, or once."""
        for job in self.jobs:
            try:
                self.provider.charge(job)
            except ProviderDownError:
                with pytest.raises(ProviderDownError):
                    self.provider.charge(job)

    def request_retries(self) -> None:
        """Nothing to do."""


def shift(fails: bool, _url: str, share: range, provider: Provider, together: Together) -> None:
    """One process."""
    if fails and share.start == 1:
        raise SystemExit
    phases(Ideal(provider), share, provider, together)


def test_alone() -> None:
    """This process does all, and is measured."""
    measured, calls = alone(partial(shift, False), "nowhere", 3)
    assert calls == {0: 3, 1: 3, 2: 3}
    assert measured.seconds > 0


def test_two_processes_share_the_jobs() -> None:
    """What each counted is added up."""
    measured, calls = crew(partial(shift, False), "nowhere", 5, 2)
    assert calls == dict.fromkeys(range(5), 3)
    assert measured.seconds > 0


def test_when_one_fails_nobody_waits_for_it() -> None:
    """The measurement fails at once, rather than when its time is up."""
    with pytest.raises(BrokenBarrierError):
        crew(partial(shift, True), "nowhere", 4, 2)
