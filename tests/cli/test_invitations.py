"""Coming into a group whose members are all away: what it is called is known from the first command on."""

import pytest
from tests.cli.conftest import Shell
from tests.cli.test_groups import GROUP, NAME, at, circle, told

__all__ = ["circle"]


@pytest.fixture
def link(circle: Shell) -> str:
    """A link of ann's, who is away again."""
    return circle.run("--profile", "ann", "invite", GROUP).strip()


def test_a_link_is_looked_at_followed_and_talked_after(circle: Shell, link: str) -> None:
    looked = circle.run("--profile", "carol", "join", link, "--look")
    assert looked == f"{GROUP}  2  one a month  (as the link says)\n"
    [row] = circle.rows("--profile", "carol", "join", link, "--look")
    assert (row["conversation"], row["name"], row["topic"], row["members"]) == (GROUP, NAME, "one a month", 2)
    assert circle.run("--profile", "carol", "groups") == "", "looking is not joining"
    assert circle.run("--profile", "carol", "join", link) == f"{GROUP}\n"
    circle.run("--profile", "carol", "send", GROUP, "is anybody here?")
    assert told(circle.run("--profile", "ann", "history", GROUP))[-1] == f"{GROUP} carol-{circle.tag}: is anybody here?"
    circle.run("--profile", "ann", "rename", GROUP, "Film club")
    assert circle.run("--profile", "bob", "join", link, "--look").startswith("+Film club  3  ")
    _, said = circle.both("--profile", "bob", "join", "#lounge", "--look", code=5)
    assert said.startswith("aparte: This is not an invite link")


def test_a_list_of_groups_names_those_that_one_was_added_to(circle: Shell) -> None:
    [row] = circle.rows("--profile", "bob", "groups")
    assert (row["conversation"], row["topic"]) == (GROUP, "one a month")
    circle.run("--profile", "ann", "add", GROUP, at(circle, "carol"))
    assert [row["conversation"] for row in circle.rows("--profile", "carol", "groups")] == [GROUP]
