"""Tenants, principals, and ids that the same thing always gets again."""

import itertools
from uuid import uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrive.domain.errors import InvalidValue
from redrive.domain.identity import (
    NAMESPACE,
    NodeId,
    Principal,
    RunId,
    Tenant,
    dead_letter_id_of,
    derived_id,
    human,
    run_id_of,
)
from redrive.domain.run.holder import Holder
from redrive.domain.values import canonical_json


def test_the_same_key_gets_the_same_id_for_ever() -> None:
    """Ids are in logs and bundles; an upgrade that moved them would lose every record."""
    assert run_id_of(Tenant(), "nightly", "2026-11-22") == "711e07f8-59ff-5dc1-9298-a12a2d823bfb"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Tenant("a", "b", "c"), Tenant("a", "b", "d")),
        (Tenant("a", "bb", "c"), Tenant("a", "b", "bc")),
        (Tenant("x", "b", "c"), Tenant("y", "b", "c")),
    ],
)
def test_equal_keys_in_two_tenants_are_two_things(one: Tenant, other: Tenant) -> None:
    """One customer's key must never reach another customer's run."""
    assert run_id_of(one, "nightly", "k") != run_id_of(other, "nightly", "k")


def test_parts_cannot_be_shifted_between_fields() -> None:
    """Joining with a separator would let a hostile name collide with another."""
    names = ["a", "a,b", 'a","b', "a/b", "b", ""]
    ids = [derived_id(Tenant(), "run", *parts) for n in (1, 2, 3) for parts in itertools.product(names, repeat=n)]
    assert len(set(ids)) == len(ids)
    assert derived_id(Tenant(), "run", "a") != derived_id(Tenant(), "flow", "a")


@given(st.lists(st.text(), max_size=4))
def test_an_id_is_the_uuid_of_the_canonical_json(parts: list[str]) -> None:
    """Ids are made by a shorter way than the rule says; they must be the same ids."""
    name = canonical_json(["local", "default", "default", "run", *parts]).decode()
    assert derived_id(Tenant(), "run", *parts) == str(uuid5(NAMESPACE, name))


def test_a_node_and_its_effects_have_different_dead_letters() -> None:
    """The effect's failure and the node's failure are answered separately."""
    run, node = RunId("r"), NodeId("n")
    assert dead_letter_id_of(Tenant(), run, node) == dead_letter_id_of(Tenant(), run, node, "")
    assert dead_letter_id_of(Tenant(), run, node) != dead_letter_id_of(Tenant(), run, node, "invoice")


@pytest.mark.parametrize("part", ["", " ", "a/b", "a\n", "a\x00", "x" * 101, None, 3])
def test_a_tenant_is_three_printable_texts_without_a_slash(part: str) -> None:
    """Tenants are shown as a/b/c and parsed again; anything else would be ambiguous."""
    for values in ((part, "b", "c"), ("a", part, "c"), ("a", "b", part)):
        with pytest.raises(InvalidValue, match="tenant"):
            Tenant(*values)


def test_a_tenant_passes_the_boundary_for_texts() -> None:
    """A surrogate that stayed would make every event of the tenant unwritable."""
    assert Tenant("\ud800") == Tenant("\ufffd")
    assert run_id_of(Tenant("\ud800"), "a", "k")


def test_a_tenant_reads_back_what_it_shows() -> None:
    """The text form is used in rows and command lines."""
    tenant = Tenant("acme", "é", "prod 1")
    assert Tenant.parse(str(tenant)) == tenant
    for text in ("", "a/b", "a/b/c/d"):
        with pytest.raises(InvalidValue, match="tenant"):
            Tenant.parse(text)


def test_an_authenticated_principal_wins_over_a_name() -> None:
    """The host knows who is logged in; a name in a request is only a name."""
    ana = Principal("external", "ana@idp", on_behalf_of="ops")
    assert human(ana) is ana
    assert human("ana") == Principal("human", "ana")


@pytest.mark.parametrize("actor", ["", "  ", "x" * 600])
def test_an_actor_without_a_name_is_refused(actor: str) -> None:
    """Every disposition says who decided."""
    with pytest.raises(InvalidValue, match="actor"):
        human(actor)


def test_a_holder_reads_back_what_it_shows() -> None:
    """Another process of the same host must recognise it."""
    holder = Holder("h/1", "b3f", "pid:[4026531836]", 17, 998)
    assert Holder.parse(str(holder)) == holder
