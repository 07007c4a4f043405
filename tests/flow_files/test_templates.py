"""Templates: what data may put into a URL."""

from urllib.parse import unquote

import pytest

from redrive.flow_files.templates import Unfillable, filled_early

SHOP = "https://shop.example"


@pytest.mark.parametrize("id_", ["", ".", ".."])
@pytest.mark.parametrize(
    "url",
    [
        SHOP + "/users/{input.id}/sessions",
        SHOP + "/charges/{input.id}",
        SHOP + "/charges/{input.id}?full=1",
        "{env.BASE}{input.id}",
        "{env.BASE}/{effect.id}/{input.id}#top",
        SHOP + "/{input.id}{input.none}",
    ],
)
def test_data_does_not_choose_the_path(url: str, id_: str) -> None:
    """Nothing, one dot or two dots would reach another path."""
    with pytest.raises(Unfillable, match="segment"):
        filled_early(url, {"input": {"id": id_, "none": ""}}, in_url=True)


def test_dots_of_the_author_and_of_data_are_seen_together() -> None:
    """Also when the author's dot is percent-encoded."""
    for url in (SHOP + "/.{input.id}", SHOP + "/%2e{input.id}"):
        with pytest.raises(Unfillable):
            filled_early(url, {"input": {"id": "."}}, in_url=True)


@pytest.mark.parametrize("id_", ["...", "a..", ".a", "%2e%2e", "../..", "0", " "])
def test_other_segments_are_filled(id_: str) -> None:
    """Percent-encoded, so that they stay one segment."""
    found = filled_early(SHOP + "/users/{input.id}/x", {"input": {"id": id_}}, in_url=True)
    segments = found.split("/")
    assert (len(segments), segments[3], unquote(segments[4]), segments[5]) == (6, "users", id_, "x")


def test_a_query_and_the_paths_of_the_author_stay_free() -> None:
    """An empty parameter is none of a path, and the author may write what they like."""
    url = SHOP + "//a/../b?q={input.q}&r=/{input.q}"
    assert filled_early(url, {"input": {"q": ""}}, in_url=True) == SHOP + "//a/../b?q=&r=/"
