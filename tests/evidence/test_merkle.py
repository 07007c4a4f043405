"""Trees and proofs by RFC 6962 and RFC 9162."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redrive.evidence.merkle import (
    EMPTY_ROOT,
    Frontier,
    TreeDamaged,
    is_consistent,
    is_included,
    leaf_hash,
    node_hash,
)
from tests.evidence.trees import RFC_LEAVES, Tiles, hashes, naive_path, naive_proof, naive_root

RFC_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""The roots of the first 0 to 8 leaves of the Certificate Transparency test tree."""
SIZES = range(1, 41)
LEAVES = hashes(40)


def flips(proof: list[bytes]) -> list[list[bytes]]:
    """*proof* with each byte of it changed, one at a time."""
    return [
        [*proof[:n], node[:at] + bytes([node[at] ^ 1]) + node[at + 1 :], *proof[n + 1 :]]
        for n, node in enumerate(proof)
        for at in range(len(node))
    ]


def misshapen(proof: list[bytes]) -> list[list[bytes]]:
    """*proof* too short, too long, or with a node of another length."""
    longer = [[*proof, LEAVES[0]], [LEAVES[0], *proof]]
    return longer + ([proof[:-1], proof[1:], [proof[0][:-1], *proof[1:]]] if proof else [])


@pytest.mark.parametrize(("size", "root"), list(enumerate(RFC_ROOTS)))
def test_roots_of_the_test_tree(size: int, root: str) -> None:
    """The roots that every implementation of RFC 6962 agrees on."""
    frontier = Frontier()
    frontier.extend([leaf_hash(data) for data in RFC_LEAVES[:size]])
    assert frontier.root().hex() == root
    assert Tiles(map(leaf_hash, RFC_LEAVES)).tree().root(size).hex() == root


def test_leaves_and_nodes_are_hashed_apart() -> None:
    """A node can never be passed off as a leaf."""
    left, right = LEAVES[:2]
    assert node_hash(left, right) != leaf_hash(left + right)
    assert naive_root([]) == EMPTY_ROOT


@pytest.mark.parametrize("size", SIZES)
def test_inclusion_of_every_leaf(size: int) -> None:
    """Proofs are those of the definition, and verify for their leaf and index only."""
    tree, root = Tiles(LEAVES).tree(), naive_root(LEAVES[:size])
    for index in range(size):
        proof = tree.inclusion(index, size)
        assert proof == naive_path(index, LEAVES[:size])
        accepted = [at for at in range(-1, size + 1) if is_included(LEAVES[index], at, size, proof, root)]
        assert accepted == [index]
        others = [leaf for leaf in LEAVES if is_included(leaf, index, size, proof, root)]
        assert others == [LEAVES[index]]


@pytest.mark.parametrize("size", SIZES)
def test_a_changed_inclusion_proof_is_refused(size: int) -> None:
    """Every byte counts, and so does the number of nodes."""
    tree, root = Tiles(LEAVES).tree(), naive_root(LEAVES[:size])
    for index in {0, size // 2, size - 1}:
        proof = tree.inclusion(index, size)
        for wrong in flips(proof) + misshapen(proof):
            assert not is_included(LEAVES[index], index, size, wrong, root)
        assert not is_included(LEAVES[index], index, size, proof, LEAVES[index][::-1])


@pytest.mark.parametrize("size", SIZES)
def test_an_inclusion_proof_is_of_one_size(size: int) -> None:
    """A tree of another size has another root."""
    tree, index = Tiles(LEAVES).tree(), size // 2
    proof = tree.inclusion(index, size)
    for other in range(index + 1, 41):
        root = naive_root(LEAVES[:other])
        assert is_included(LEAVES[index], index, other, proof, root) == (other == size)


@pytest.mark.parametrize("new", SIZES)
def test_consistency_with_every_prefix(new: int) -> None:
    """Proofs are those of the definition, and verify for their two sizes only."""
    tree, root = Tiles(LEAVES).tree(), naive_root(LEAVES[:new])
    for old in range(new + 1):
        proof, before = tree.consistency(old, new), naive_root(LEAVES[:old])
        assert proof == (naive_proof(old, LEAVES[:new]) if old else [])
        assert is_consistent(old, before, new, root, proof)
        for other in set(range(-1, new + 2)) - {old}:
            assert not is_consistent(other, before, new, root, proof)


@pytest.mark.parametrize("new", SIZES)
def test_a_changed_consistency_proof_is_refused(new: int) -> None:
    """Every byte counts, the number of nodes, and both roots."""
    tree, root = Tiles(LEAVES).tree(), naive_root(LEAVES[:new])
    for old in {1, new // 2, new - 1, new} - {0}:
        proof, before = tree.consistency(old, new), naive_root(LEAVES[:old])
        for wrong in flips(proof) + misshapen(proof):
            assert not is_consistent(old, before, new, root, wrong)
        assert not is_consistent(old, before[::-1], new, root, proof)
        assert not is_consistent(old, before, new, root[::-1], proof)


def test_a_proof_reads_few_tiles() -> None:
    """O(log n): three levels of a tree of 70,000 leaves."""
    tiles = Tiles(hashes(70_000))
    included = tiles.tree().inclusion(12_345, 69_999)
    assert (len(included) <= 17, tiles.reads <= 6) == (True, True)
    tiles.reads = 0
    assert len(tiles.tree().consistency(12_345, 69_999)) <= 18
    assert tiles.reads <= 6


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 700), st.data())
def test_any_tree_is_that_of_the_definition(size: int, data: st.DataObject) -> None:
    """Across tiles: roots, frontiers and proofs."""
    leaves = hashes(size)
    tree, root = Tiles(leaves).tree(), naive_root(leaves)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    assert tree.root(size) == root
    assert is_included(leaves[index], index, size, tree.inclusion(index, size), root)
    assert is_consistent(old, naive_root(leaves[:old]), size, root, tree.consistency(old, size))
    going_on = tree.frontier(old)
    going_on.extend(leaves[old:])
    assert going_on.root() == root


def test_a_tile_that_lacks_hashes_is_named() -> None:
    """A stored tree that was cut is noticed, not computed with."""
    tiles = Tiles(hashes(300))
    tiles.stored[0, 1] = tiles.stored[0, 1][:-32]
    with pytest.raises(TreeDamaged) as told:
        tiles.tree().root(300)
    assert (told.value.level, told.value.tile) == (0, 1)


def test_frontiers_do_not_share_nodes() -> None:
    """A copy goes on by itself."""
    one = Frontier()
    other = one.copy()
    other.extend([b"x" * 32])
    assert (one.size, other.size) == (0, 1)
