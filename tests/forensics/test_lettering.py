"""Names in pictures: none runs into what stands beside it, in whatever script."""

import re
import xml.etree.ElementTree as ET

import pytest

from redrive.forensics.timelines.lettering import fitted, width_of
from redrive.forensics.timelines.picture import svg_of
from redrive.forensics.timelines.picture_parts import LEFT, RIGHT, WIDTH
from redrive.forensics.timelines.timeline import Timeline, TimelineLane
from tests.forensics.test_picture import SVG, big

NAMES = (
    "部署生产环境数据库迁移任务一二三四五六七八九十",
    "NFCORE_CUTANDRUN.CUTANDRUN.PREPARE_GENOME.GUNZIP_SPIKEIN_FASTA_1",
    "W" * 60,
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 and others",
    "e" + "\u0301" * 300,
    "\u202e" * 40,
)


def named(name: str, failed: int = 0) -> Timeline:
    """A picture's timeline whose only node is called *name*."""
    told = big(10, 1)
    lane = told.lanes[0].model_copy(update={"name": name, "attempts": max(failed, 1), "failed": failed})
    entries = tuple(one.model_copy(update={"lane": name}) for one in told.entries)
    return told.model_copy(update={"lanes": (TimelineLane.model_validate(lane.model_dump()),), "entries": entries})


def texts_of(svg: str) -> list[tuple[float, str, str]]:
    """The place, the classes and the words of each text."""
    return [
        (float(one.get("x") or 0), one.get("class") or "", one.text or "")
        for one in ET.fromstring(svg).iter(f"{SVG}text")
    ]


@pytest.mark.parametrize("failed", [0, 3, 12_345])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_ends_before_its_count_and_its_bars(name: str, failed: int) -> None:
    """Whatever its script, and however it is escaped."""
    texts = texts_of(svg_of(named(name, failed)))
    (shown,) = [words for place, kind, words in texts if place == 24 and kind == "" and words]
    count = max((width_of(words, 11) for _, kind, words in texts if "end" in kind and "failed" in words), default=0)
    assert 24 + width_of(shown) + count <= LEFT - 12


@pytest.mark.parametrize("name", NAMES)
def test_a_title_ends_before_the_status(name: str) -> None:
    """It may be as long as the names of an automation and a key."""
    told = named("a").model_copy(update={"title": f"{name * 9} {name}"})
    (title,) = [words for _, kind, words in texts_of(svg_of(told)) if kind == "title"]
    assert 24 + width_of(title, 17) <= WIDTH - RIGHT - 60


@pytest.mark.parametrize("name", NAMES)
def test_what_people_did_ends_before_the_edge(name: str) -> None:
    """Who it was, and why they did it."""
    told = named("a")
    did = told.entries[0].model_copy(update={"kind": "operator", "actor": f"operator:{name * 4}", "reason": name * 20})
    texts = texts_of(svg_of(told.model_copy(update={"entries": (*told.entries, did)})))
    (who,) = [words for place, kind, words in texts if place == LEFT and kind == "bold"]
    (why,) = [words for place, kind, words in texts if place == LEFT + 100]
    assert LEFT + width_of(who) <= LEFT + 100
    assert LEFT + 100 + width_of(why) <= WIDTH - RIGHT


def test_what_fits_is_left_alone_and_what_does_not_keeps_its_ends() -> None:
    """Names begin alike; a sentence is read from its beginning."""
    assert fitted("publish", 100) == "publish"
    assert re.fullmatch(r"NFC.*….*_1", fitted(NAMES[1], 170))
    assert fitted("the bank was down again", 60, ends=False).startswith("the b")
    assert fitted("ab", 3) == "…"
