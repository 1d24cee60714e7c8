"""Rooms and channels from a terminal: made, run, moderated, and what one sets for oneself; in words and in JSON."""

from typing import Any

import pytest
from tests.cli.conftest import Shell
from tests.cli.test_talking import said, texts


@pytest.fixture
def ann(shell: Shell, room: str) -> Any:
    """Ann's terminal, as a function of a command; `room` is hers."""
    assert room

    def run(*arguments: str, **options: Any) -> str:
        return shell.run("--profile", "ann", *arguments, **options)

    return run


def at(shell: Shell, name: str) -> str:
    return f"@{name}-{shell.tag}"


def test_a_channel_is_made_found_and_written_to_by_its_makers_alone(shell: Shell, room: str) -> None:
    title = f"#news-{shell.tag}"
    _, errors = shell.both("--profile", "ann", "new", "channel", title, code=1)
    assert "--mode e2ee" in errors
    assert shell.run("--profile", "ann", "new", "channel", title, "--public", "--topic", "what is new") == f"{title}\n"
    found: dict[str, Any] = {}
    while not found:
        rows = shell.rows("--profile", "bob", "search", "rooms", f"news-{shell.tag}")
        found = next((row for row in rows if row["name"] == title[1:]), {})
    assert (found["name"], found["kind"], found["topic"]) == (title[1:], "channel", "what is new")
    shell.run("--profile", "bob", "join", title)
    [sent] = shell.rows("--profile", "ann", "send", title, "hear", "ye")
    assert shell.both("--profile", "bob", "send", title, "me too", code=1)[1].startswith("aparte: ")
    shell.run("--profile", "bob", "react", title, sent["id"], "👏")
    assert shell.run("--profile", "ann", "history", title).rstrip().endswith("hear ye 👏×1")
    assert {row["conversation"] for row in shell.rows("--profile", "bob", "rooms")} == {room, title}


def test_a_private_room_is_entered_by_a_link(shell: Shell, room: str) -> None:
    title = f"#den-{shell.tag}"
    shell.run("--profile", "ann", "new", "room", title, "--private", "--mode", "server", "--welcome", "wipe your feet")
    link = shell.run("--profile", "ann", "invite", title, "--uses", "2", "--expires", "2h").strip()
    assert shell.rows("--profile", "bob", "join", link, "--look")[0]["conversation"] == title
    assert shell.run("--profile", "bob", "join", link) == f"{title}\nwipe your feet\n"
    [row] = shell.rows("--profile", "ann", "invites", title)
    assert (row["uses"], row["used"], row["role"]) == (2, 1, "member")
    shell.run("--profile", "ann", "invites", title, "--close", row["id"])
    assert shell.run("--profile", "ann", "invites", title) == ""
    assert room


def test_a_room_says_what_it_is_and_is_run_as_its_owner_wants(shell: Shell, ann: Any, room: str) -> None:
    assert ann("welcome", room, "wipe", "your", "feet") == "wipe your feet\n"
    assert ann("rules", room, "be", "kind") == "be kind\n"
    assert shell.run("--profile", "bob", "rules", room) == "be kind\n"
    [row] = shell.rows("--profile", "bob", "about", room)
    assert (row["welcome"], row["rules"]) == ("wipe your feet", "be kind")
    [row] = shell.rows(
        "--profile", "ann", "settings", room, "--slow-mode", "5m", "--ttl", "1h", "--nsfw", "--limit", "9"
    )
    assert (row["slow_mode_seconds"], row["ttl"], row["is_nsfw"], row["max_members"]) == (300, 3600, True, 9)
    [row] = shell.rows("--profile", "ann", "settings", room, "--slow-mode", "none", "--ttl", "none", "--not-nsfw")
    assert (row["slow_mode_seconds"], row["ttl"], row["is_nsfw"], row["max_members"]) == (0, None, False, 9)
    assert "archived" in ann("archive-for-all", room) or ann("settings", room)
    assert "archived" in shell.both("--profile", "bob", "send", room, "still?", code=1)[1]
    ann("archive-for-all", room, "--off")
    shell.run("--profile", "bob", "send", room, "again")
    _, errors = shell.both("--profile", "ann", "delete-conversation", room, code=2)
    assert "--yes" in errors
    ann("delete-conversation", room, "--yes")
    assert shell.rows("--profile", "bob", "rooms") == []


def test_roles_rights_and_names(shell: Shell, ann: Any, room: str) -> None:
    bob = at(shell, "bob")
    ann("roles", "define", room, "Reader", "--deny", "post", "--colour", "#00ff00")
    [row] = shell.rows("--profile", "ann", "roles", "list", room)
    assert (row["name"], row["permissions"], row["colour"]) == ("Reader", {"post": False}, "#00ff00")
    ann("role", room, bob, "Reader")
    assert shell.both("--profile", "bob", "send", room, "x", code=1)[1] == "aparte: Your role does not allow this.\n"
    assert "member, Reader" in ann("members", room)
    assert ann("rights", room, bob, "--allow", "post", "--deny", "react") == "+post\n-react\n"
    shell.run("--profile", "bob", "send", room, "now I may")
    assert ann("rights", room, bob, "--unset", "post", "--unset", "react") == ""
    ann("roles", "change", room, "Reader", "--allow", "post", "--name", "Writer")
    assert shell.rows("--profile", "ann", "roles", "list", room)[0]["permissions"] == {"post": True}
    ann("role", room, bob, "none")
    ann("roles", "remove", room, "Writer")
    ann("role", room, bob, "moderator")
    assert [row["username"] for row in shell.rows("--profile", "ann", "members", room, "--role", "moderator")] == [
        bob[1:]
    ]
    shell.run("--profile", "bob", "nickname", room, "Bobby")
    assert "Bobby" in ann("members", room)
    shell.run("--profile", "bob", "nickname", room, "none")
    assert "Bobby" not in ann("members", room)


def test_moderators_silence_ban_and_decide(shell: Shell, ann: Any, room: str) -> None:
    bob = at(shell, "bob")
    assert ann("silence", room, bob, "10m", "--reason", "enough").startswith("Silenced until ")
    told = shell.both("--profile", "bob", "send", room, "x", code=1)[1]
    assert told.startswith("aparte: A moderator has silenced you here until ")
    assert told.endswith(" (enough).\n")
    [row] = shell.rows("--profile", "ann", "silences", room)
    assert (row["username"], row["reason"]) == (bob[1:], "enough")
    ann("unsilence", room, bob)
    ann("settings", room, "--auto-moderate")
    assert ann("words", room, "--hold", "cheat*", "--refuse", "swindle").split("\n")[:2] == [
        "cheat*   held back",
        "swindle  refused",
    ]
    assert "not allowed" in shell.both("--profile", "bob", "send", room, "a swindle", code=1)[1]
    assert "waits for a moderator" in shell.both("--profile", "bob", "send", room, "you cheater", code=1)[1]
    [row] = shell.rows("--profile", "ann", "held", room)
    assert (row["text"], row["status"]) == ("you cheater", "pending")
    ann("held", room, "--approve", row["id"])
    assert texts(shell.rows("--profile", "ann", "history", room)) == ["you cheater"]
    [message] = said(shell.rows("--profile", "ann", "history", room))
    ann("flag", room, str(message["id"]), "--reason", "spam", "--note", "see?")
    assert "[spam×1]\n    — see?" in ann("flags", room)
    ann("unflag", room, str(message["id"]))
    assert ann("flags", room) == ""
    assert ann("words", room, "--drop", "cheat*") == "swindle  refused\n"
    ann("ban", room, bob, "--reason", "out")
    [row] = shell.rows("--profile", "ann", "bans", room)
    assert (row["username"], row["reason"]) == (bob[1:], "out")
    assert "banned" in shell.both("--profile", "bob", "join", room, code=1)[1]
    ann("unban", room, bob)
    shell.run("--profile", "bob", "join", room)


def test_what_one_sets_for_oneself(shell: Shell, ann: Any, room: str) -> None:
    assert ann("mute", room) == "told of all, muted\n"
    assert ann("mute", room, "2h").startswith("told of all, muted until ")
    assert ann("unmute", room) == "told of all\n"
    assert ann("level", room, "mentions") == "told of mentions\n"
    assert ann("label", room, "work", "fun") == "told of mentions, [work], [fun]\n"
    assert ann("top", room).startswith("told of mentions, at the top")
    [row] = shell.rows("--profile", "ann", "conversations", "--label", "fun")
    assert (row["conversation"], row["preferences"]["labels"]) == (room, ["work", "fun"])
    ann("unread", room)
    ann("archive", room)
    assert shell.rows("--profile", "ann", "conversations") == []
    assert [row["conversation"] for row in shell.rows("--profile", "ann", "conversations", "--archived")] == [room]
    assert ann("label", room, "--clear").count("[") == 0
    ann("read", room)
    ann("draft", room, "what I was about to say")
    assert ann("draft", room) == "what I was about to say\n"
    ann("draft", room, "--clear")
    assert ann("draft", room) == ""


def test_everything_one_is_in_is_listed_by_how_it_is_written(shell: Shell, ann: Any, room: str) -> None:
    ann("send", at(shell, "bob"), "hi")
    ann("send", "@me", "milk")
    ann("new", "group", "Book club")
    titles = {row["conversation"] for row in shell.rows("--profile", "ann", "conversations")}
    assert titles == {room, at(shell, "bob"), "@me", "+Book club"}
    assert {row["conversation"] for row in shell.rows("--profile", "ann", "groups")} == {"+Book club"}
    ann("top", room)
    assert shell.rows("--profile", "ann", "conversations")[0]["conversation"] == room
