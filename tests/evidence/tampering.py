"""What an insider with full write access to the database can do to it: mutations by the thousand.

Each is a function that changes the file and says what verify must name: a leaf, or None when none can be named.
"""

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

Connection = sqlite3.Connection


class Mutation(NamedTuple):
    """*name* tells what is done; *leaf* is the one that verify must name first (None: any finding will do)."""

    name: str
    do: Callable[[Connection], object]
    leaf: int | None


def rows(connection: Connection) -> list[tuple[Any, ...]]:
    """The rows of the log, one leaf each."""
    return connection.execute(
        "SELECT position, originator_id, originator_version, topic, state, tenant, correlation, recorded_at_ms "
        "FROM events ORDER BY position"
    ).fetchall()


def of_each_kind(path: Path, count: int, seed: int) -> list[Mutation]:
    """So many of each, for the log at *path*."""
    dice = random.Random(seed)
    with closing(sqlite3.connect(path)) as connection:
        log = rows(connection)
        kinds = (bytes_of_states, columns, orders)
        return [*(one for kind in kinds for one in kind(log, dice, count)), *trees(connection, dice, count)]


def bytes_of_states(log: list[tuple[Any, ...]], dice: random.Random, count: int) -> Iterator[Mutation]:
    """One byte of one state changed, dropped or added: every class of byte."""
    for _ in range(count):
        leaf = dice.randrange(len(log))
        state = bytearray(log[leaf][4])
        at, how = dice.randrange(len(state)), dice.randrange(4)
        if how == 0:
            state[at] ^= 1 << dice.randrange(8)
        elif how == 1:
            del state[at]
        elif how == 2:
            state.insert(at, dice.choice(b' 0"\\x00\xff'))
        else:
            state[at:] = b""
        yield update(f"state byte {at} of leaf {leaf}, {how}", log, leaf, "state", bytes(state))


def columns(log: list[tuple[Any, ...]], dice: random.Random, count: int) -> Iterator[Mutation]:
    """One column of one row changed: in value, and in type only."""
    for _ in range(count):
        leaf = dice.randrange(len(log))
        _, stream, version, topic, state, tenant, correlation, at_ms = log[leaf]
        choices: list[tuple[str, object]] = [
            ("originator_id", stream[:-1] + "x"),
            ("originator_id", stream.encode()),
            ("originator_version", version + 1_000),
            ("originator_version", "x"),
            ("originator_version", version + 0.5),
            ("topic", topic.replace("/1", "/9").replace("/2", "/8")),
            ("topic", topic.encode()),
            ("state", state.decode()),
            ("state", b"{}"),
            ("tenant", "acme/billing/prod"),
            ("tenant", tenant.encode()),
            ("correlation", correlation[:-1] + "x"),
            ("correlation", ""),
            ("recorded_at_ms", at_ms - 1),
            ("recorded_at_ms", at_ms + 86_400_000),
            ("recorded_at_ms", "soon"),
            ("recorded_at_ms", at_ms + 0.5),
        ]
        column, value = dice.choice(choices)
        yield update(f"{column} of leaf {leaf} is {value!r}", log, leaf, column, value)


def update(name: str, log: list[tuple[Any, ...]], leaf: int, column: str, value: object) -> Mutation:
    """One column of one row."""
    position = log[leaf][0]
    statement = f"UPDATE events SET {column} = ? WHERE position = ?"
    return Mutation(name, lambda connection: connection.execute(statement, (value, position)), leaf)


def orders(log: list[tuple[Any, ...]], dice: random.Random, count: int) -> Iterator[Mutation]:
    """Rows deleted, inserted, swapped and moved."""
    for _ in range(count):
        one, other = sorted(dice.sample(range(len(log)), 2))
        first, second = log[one][0], log[other][0]
        how = dice.randrange(4)
        if how == 0:
            yield Mutation(f"leaf {one} deleted", deleting(first), one)
        elif how == 1:
            yield Mutation(f"leaves {one} and {other} swapped", swapping(first, second), one)
        elif how == 2:
            yield Mutation(f"leaf {one} moved to the end", moving(first, log[-1][0] + 7), one)
        else:
            yield Mutation(f"a row inserted for leaf {one}", inserting(log[one], first), None)


def deleting(position: int) -> Callable[[Connection], object]:
    """Delete a row."""
    return lambda connection: connection.execute("DELETE FROM events WHERE position = ?", (position,))


def moving(position: int, to: int) -> Callable[[Connection], object]:
    """Give a row another position."""
    return lambda connection: connection.execute("UPDATE events SET position = ? WHERE position = ?", (to, position))


def swapping(one: int, other: int) -> Callable[[Connection], object]:
    """Two rows change places."""

    def do(connection: Connection) -> None:
        for before, after in ((one, -1), (other, one), (-1, other)):
            moving(before, after)(connection)

    return do


def inserting(row: tuple[Any, ...], position: int) -> Callable[[Connection], object]:
    """A row of a new stream takes the place of another, which is gone with its position."""

    def do(connection: Connection) -> None:
        deleting(position)(connection)
        values = (position, f"forged-{position}", 1, *row[3:])
        connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    return do


def trees(connection: Connection, dice: random.Random, count: int) -> Iterator[Mutation]:
    """Tiles, leaves and checkpoints changed, dropped and swapped."""
    tiles = connection.execute("SELECT level, tile, hashes FROM tree_tiles").fetchall()
    points = connection.execute("SELECT size, previous_size, position, root, note FROM tree_checkpoints").fetchall()
    leaves = connection.execute("SELECT max(leaf_index) FROM tree_leaves").fetchone()[0]
    for _ in range(count):
        yield dice.choice((a_tile, a_leaf, a_checkpoint))(dice, tiles, points, leaves)


def run(statement: str, *values: object) -> Callable[[Connection], object]:
    """One statement."""
    return lambda connection: connection.execute(statement, values)


def a_tile(dice: random.Random, tiles: list[Any], _points: list[Any], _leaves: int) -> Mutation:
    """A byte of a tile, its end, or all of it."""
    level, tile, hashes = dice.choice(tiles)
    changed, at = bytearray(hashes), dice.randrange(len(hashes))
    changed[at] ^= 1 << dice.randrange(8)
    where, name = "WHERE level = ? AND tile = ?", f"tile {level}/{tile}"
    change = f"UPDATE tree_tiles SET hashes = ? {where}"
    return dice.choice(
        [
            Mutation(f"{name} byte {at}", run(change, changed, level, tile), None),
            Mutation(f"{name} cut", run(change, hashes[:at], level, tile), None),
            Mutation(f"{name} gone", run(f"DELETE FROM tree_tiles {where}", level, tile), None),
        ]
    )


def a_leaf(dice: random.Random, _tiles: list[Any], _points: list[Any], leaves: int) -> Mutation:
    """The position of a leaf, or the leaf itself."""
    leaf = dice.randrange(leaves)
    move = "UPDATE tree_leaves SET position = ? WHERE leaf_index = ?"
    return dice.choice(
        [
            Mutation(f"leaf {leaf} elsewhere", run(move, 9_999, leaf), None),
            Mutation(f"leaf {leaf} nowhere", run(move, "x", leaf), None),
            Mutation(f"leaf {leaf} gone", run("DELETE FROM tree_leaves WHERE leaf_index = ?", leaf), None),
            Mutation("a leaf more", run("INSERT INTO tree_leaves VALUES (?, 9999)", leaves + 1), None),
        ]
    )


def a_checkpoint(dice: random.Random, _tiles: list[Any], points: list[Any], _leaves: int) -> Mutation:
    """A checkpoint's columns, one byte of its note, or the checkpoint itself."""
    size, previous, position, root, note = dice.choice(points)
    other = dice.choice([point for point in points if point[0] != size])
    # not the name and the id of who signed: what a key signed that nobody knows is ignored, as C2SP wants it
    signed = note.find("\n\n") + 1 or len(note)
    at = dice.choice([*range(signed - 1), *range(max(signed, len(note) - 80), len(note) - 1)])
    spelled = note[:at] + ("A" if note[at] != "A" else "B") + note[at + 1 :]
    changes: list[tuple[str, object]] = [
        ("previous_size", previous + 1),
        ("position", position - 1),
        ("root", other[3]),
        ("root", root[:-1]),
        ("note", other[4]),
        ("note", spelled),
        ("note", ""),
    ]
    column, value = dice.choice(changes)
    if dice.randrange(8) == 0:
        return Mutation(f"checkpoint {size} gone", run("DELETE FROM tree_checkpoints WHERE size = ?", size), None)
    name = f"{column} of checkpoint {size} is {value!r}"
    return Mutation(name, run(f"UPDATE tree_checkpoints SET {column} = ? WHERE size = ?", value, size), None)
