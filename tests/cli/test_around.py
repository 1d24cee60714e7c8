"""What hangs on messages, from a terminal: answers, threads, reactions, pins, mentions, versions, what is due later."""

from types import SimpleNamespace

import pytest
from tests.cli.conftest import Shell
from tests.cli.test_talking import said, texts

from aparte.cli import output
from aparte.cli.output import highlighted, in_a_cell, visible


def told(out: str) -> list[str]:
    """Lines without their time."""
    return [line[17:] for line in out.splitlines()]


def test_answers_and_threads_are_shown_where_they_belong(shell: Shell, room: str) -> None:
    ann, bob = f"ann-{shell.tag}", f"bob-{shell.tag}"
    root = shell.run("--profile", "ann", "send", room, "who brings what?").strip()
    shell.run("--profile", "bob", "send", room, "the tea", "--reply", root)
    shell.run("--profile", "bob", "send", room, f"cups? @{ann}", "--thread", root)
    lines = told(shell.run("--profile", "ann", "history", room))
    assert f"{room} {ann}: who brings what? (1 reply)" in lines
    assert f"{room} {bob}: (to {ann}: who brings what?) the tea" in lines
    assert f"{room} ↳ {bob}: cups? @{ann}" in lines
    assert told(shell.run("--profile", "ann", "thread", room, root))[1:] == [f"{room} ↳ {bob}: cups? @{ann}"]
    assert [row["id"] for row in shell.rows("--profile", "ann", "threads", room)] == [root]
    assert shell.run("--profile", "ann", "follow", room, root, "--off") == "You follow this thread no longer.\n"
    assert texts(shell.rows("--profile", "ann", "replies", room, root)) == ["the tea"]
    assert texts(shell.rows("--profile", "ann", "mentions")) == [f"cups? @{ann}"]


def test_ids_stand_before_the_lines_for_who_answers_by_hand(shell: Shell, room: str) -> None:
    [said] = shell.rows("--profile", "ann", "send", room, "which one?")
    line = shell.run("--profile", "bob", "history", room, "--ids").splitlines()[-1]
    assert line.startswith(f"{said['id']} ")
    assert line.endswith(": which one?")
    assert shell.run("--profile", "bob", "listen", "--count", "1", "--ids").splitlines()[-1].startswith(said["id"])


def test_reactions_pins_versions_and_receipts(shell: Shell, room: str) -> None:
    ann, bob = f"ann-{shell.tag}", f"bob-{shell.tag}"
    message = shell.run("--profile", "ann", "send", room, "frist").strip()
    shell.run("--profile", "ann", "edit", room, message, "first")
    shell.run("--profile", "bob", "react", room, message, "🎉")
    shell.run("--profile", "bob", "react", room, message, "🎉")
    shell.run("--profile", "ann", "pin", room, message)
    assert f"{room} {ann}: first (edited) 🎉×1 (pinned)" in told(shell.run("--profile", "bob", "history", room))
    assert texts(shell.rows("--profile", "bob", "pins", room)) == ["first"]
    assert [row["text"] for row in shell.rows("--profile", "bob", "versions", room, message)] == ["frist", "first"]
    shell.run("--profile", "bob", "read", room, message)
    assert any(
        line.startswith(f"{bob}  ✓✓") for line in shell.run("--profile", "ann", "receipts", room, message).splitlines()
    )
    shell.run("--profile", "bob", "react", room, message, "🎉", "--off")
    shell.run("--profile", "ann", "pin", room, message, "--off")
    assert f"{room} {ann}: first (edited)" in told(shell.run("--profile", "bob", "history", room))


def test_words_go_on_to_another_conversation(shell: Shell, room: str) -> None:
    message = shell.run("--profile", "ann", "send", room, "for later").strip()
    shell.run("--profile", "ann", "forward", room, message, "@me")
    assert told(shell.run("--profile", "ann", "history", "@me"))[-1] == f"@me ann-{shell.tag}: for later (forwarded)"


def test_what_disappears_says_until_when(shell: Shell, room: str) -> None:
    shell.run("--profile", "ann", "send", room, "not for long", "--ttl", "1h")
    assert "not for long (until " in shell.run("--profile", "bob", "history", room)
    assert (
        "encrypted differently"
        in shell.both("--profile", "ann", "send", room, "x", "--ttl", "1h", "--after-reading", code=1)[1]
    )


@pytest.mark.parametrize("target", ["ROOM", "@me"])
def test_messages_are_scheduled_changed_and_cancelled(shell: Shell, room: str, target: str) -> None:
    where = room if target == "ROOM" else target
    [made] = shell.rows("--profile", "ann", "send", where, "good morning", "--at", "2h")
    [row] = shell.rows("--profile", "ann", "schedule", "list", where)
    assert (row["id"], row["text"], row["status"]) == (made["id"], "good morning", "waiting")
    shell.run("--profile", "ann", "schedule", "change", where, made["id"], "good", "evening", "--at", "3h")
    assert shell.run("--profile", "ann", "schedule", "list", where).endswith("good evening (waiting)\n")
    shell.run("--profile", "ann", "schedule", "cancel", where, made["id"])
    assert shell.run("--profile", "ann", "schedule", "list", where) == ""
    assert said(shell.rows("--profile", "ann", "history", where)) == []


def test_nothing_in_a_name_can_break_a_line() -> None:
    assert in_a_cell("a\u202eb\nc\x1b[2J\u2028d\u3164e\u200bf") == "a\\u202eb c\\u001b[2J\\u2028d\\u3164e\\u200bf"
    assert visible("line\nanother\u2029third") == "line\nanother\\u2029third"
    assert in_a_cell("👩\u200d🚀") == "👩\u200d🚀"


def test_what_was_looked_for_is_bold_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for is_terminal, shown in ((True, "a \x1b[1mf\\u001box\x1b[0m b"), (False, "a f\\u001box b")):
        stdout = SimpleNamespace(isatty=lambda answer=is_terminal: answer)
        monkeypatch.setattr(output, "sys", SimpleNamespace(stdout=stdout))
        assert highlighted("a f\x1box b", [(2, 6)]) == shown
    assert highlighted("short", [(2, 99), (200, 300)]).startswith("sh")
