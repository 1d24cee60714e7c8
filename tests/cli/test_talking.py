"""Two people talk from their terminals: every form of the commands, as scripts rely on them."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

from tests.cli.conftest import PASSWORD, Shell

from aparte.client.profiles import Folder
from aparte.client.store.outbox import select_unsent

KEYS = ["conversation", "seq", "id", "from", "device", "kind", "text", "at"]


def said(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """The messages among what was printed; who came and went is told between them."""
    return [row for row in rows if "event" not in row]


def texts(rows: list[dict[str, object]]) -> list[object]:
    return [row["text"] for row in said(rows)]


def printed(out: str) -> list[dict[str, object]]:
    """The whole lines of an output."""
    return [json.loads(line) for line in out.splitlines(keepends=True) if line.endswith("\n")]


def test_a_message_goes_from_one_terminal_to_the_other(shell: Shell, room: str) -> None:
    [sent] = shell.rows("--profile", "bob", "send", room, "salut", "à", "tous")
    [heard] = said(shell.rows("--profile", "ann", "listen", "--count", "1", "--timeout", "20"))
    assert list(heard)[:8] == KEYS
    assert (heard["text"], heard["from"], heard["conversation"]) == ("salut à tous", f"bob-{shell.tag}", room)
    assert (heard["id"], heard["seq"], heard["at"]) == (sent["id"], sent["seq"], sent["at"])
    assert heard["kind"] == "message"
    assert heard["device"] == shell.rows("--profile", "bob", "whoami")[0]["device_id"]


def test_listening_ends_with_three_when_time_is_over(shell: Shell, room: str) -> None:
    shell.run("--profile", "bob", "send", room, "one")
    began = time.monotonic()
    out = shell.run("--profile", "ann", "listen", "--count", "2", "--timeout", "2", code=3)
    assert "one" in out
    assert time.monotonic() - began >= 2
    assert shell.run("--profile", "ann", "listen", "--timeout", "1", code=3) == ""


def test_listen_goes_on_where_the_last_one_ended(shell: Shell, room: str) -> None:
    shell.run("--profile", "bob", "send", room, "-", "--lines", stdin="".join(f"{n}\n" for n in range(9)))
    heard = []
    for _ in range(3):
        heard += texts(shell.rows("--profile", "ann", "listen", "--count", "3", "--timeout", "20"))
    assert heard == [str(n) for n in range(9)]


def test_lines_of_standard_input_become_messages_in_order(shell: Shell, room: str) -> None:
    lines = [f"ligne {n} é" for n in range(120)]
    rows = shell.rows("--profile", "bob", "send", room, "-", "--lines", stdin="\n\n".join(lines))
    assert [row["seq"] for row in rows] == sorted(row["seq"] for row in rows)
    assert texts(shell.rows("--profile", "ann", "history", room, "--limit", "200")) == lines


def test_progress_is_shown_to_a_person_and_kept_out_of_the_output(shell: Shell, room: str, tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("".join(f"{n}\n" for n in range(5)))
    watching, terminal = os.openpty()
    with (tmp_path / "lines").open() as lines, (tmp_path / "out").open("w+") as out:
        sending = shell.start(
            *("--profile", "bob", "--json", "send", room, "-", "--lines"), stdin=lines, stdout=out, stderr=terminal
        )
        assert sending.wait(60) == 0
        out.seek(0)
        assert len([json.loads(line) for line in out]) == 5
    os.close(terminal)
    assert b"Sending" in os.read(watching, 65_536)
    os.close(watching)


def test_standard_input_can_be_one_message(shell: Shell, room: str) -> None:
    shell.run("--profile", "bob", "send", room, "-", stdin="two\nlines\n")
    assert texts(shell.rows("--profile", "ann", "history", room)) == ["two\nlines"]


def test_history_shows_the_newest_oldest_first_straight_after_joining(shell: Shell, room: str) -> None:
    shell.run("--profile", "bob", "send", room, "-", "--lines", stdin="a\nb\nc\nd\n")
    shell.newcomer("eve")
    shell.run("--profile", "eve", "join", room)
    assert texts(shell.rows("--profile", "eve", "history", room, "--limit", "3")) == ["b", "c", "d"]


def test_messages_are_changed_and_taken_back(shell: Shell, room: str) -> None:
    first, second = (shell.run("--profile", "bob", "send", room, text).strip() for text in ("frist", "regretted"))
    shell.run("--profile", "bob", "edit", room, first, "first")
    shell.run("--profile", "bob", "delete", room, second)
    shell.run("--profile", "ann", "delete", room, first, "--for-me")
    assert texts(shell.rows("--profile", "bob", "history", room)) == ["first"]
    assert said(shell.rows("--profile", "ann", "history", room)) == []
    assert "(edited)" in shell.run("--profile", "bob", "history", room)


def test_several_commands_of_a_profile_run_side_by_side(shell: Shell, room: str) -> None:
    listening = shell.start("--profile", "ann", "--json", "listen", "--count", "6", "--timeout", "60")
    answering = [shell.start("--profile", "ann", "send", room, f"ann {n}") for n in range(4)]
    for n in range(6):
        shell.run("--profile", "bob", "send", room, f"bob {n}")
    assert [process.wait(60) for process in answering] == [0] * 4
    out, errors = listening.communicate(timeout=60)
    assert listening.returncode == 0, errors
    assert texts(printed(out)) == [f"bob {n}" for n in range(6)]
    assert len(said(shell.rows("--profile", "bob", "history", room))) == 10
    for process in answering:
        process.communicate()


def test_a_second_listen_goes_on_when_the_first_has_ended(shell: Shell, room: str) -> None:
    first = shell.start("--profile", "ann", "--json", "listen", "--count", "1", "--timeout", "60")
    time.sleep(1)
    second = shell.start("--profile", "ann", "--json", "listen", "--count", "1", "--timeout", "60")
    shell.run("--profile", "bob", "send", room, "one")
    shell.run("--profile", "bob", "send", room, "two")
    heard = [text for process in (first, second) for text in texts(printed(process.communicate(timeout=60)[0]))]
    assert heard == ["one", "two"]


def test_a_killed_listener_loses_nothing(shell: Shell, room: str, tmp_path: Path) -> None:
    heard: list[object] = []
    dice = random.Random(7)
    shell.run("--profile", "bob", "send", room, "-", "--lines", stdin="".join(f"{n}\n" for n in range(100)))
    for _ in range(4):
        with (tmp_path / "out").open("w+") as out:
            listening = shell.start("--profile", "ann", "--json", "listen", stdout=out, stderr=subprocess.DEVNULL)
            time.sleep(0.8 + dice.random())
            listening.kill()
            listening.wait()
            out.seek(0)
            heard += texts(printed(out.read()))
    heard += texts(printed(shell.run("--profile", "ann", "--json", "listen", "--timeout", "3", code=3)))
    assert sorted(set(heard), key=lambda text: int(str(text))) == [str(n) for n in range(100)]
    assert len(heard) <= 100 + 4, "at most the message in hand is heard again after a kill"


def test_a_killed_sender_sends_nothing_twice_and_nothing_out_of_order(shell: Shell, room: str, tmp_path: Path) -> None:
    dice = random.Random(11)
    acknowledged: set[str] = set()
    for round_ in range(5):
        source = tmp_path / "lines"
        source.write_text("".join(f"{round_:02d}.{n:03d}\n" for n in range(60)))
        with source.open() as lines, (tmp_path / "out").open("w+") as out:
            sending = shell.start(
                *("--profile", "bob", "--json", "send", room, "-", "--lines"),
                stdin=lines,
                stdout=out,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(0.8 + dice.random())
            sending.kill()
            sending.wait()
            out.seek(0)
            acknowledged |= {json.loads(line)["id"] for line in out if line.endswith("\n")}
    shell.run("--profile", "bob", "send", room, "99.000")
    rows = shell.rows("--profile", "ann", "history", room, "--limit", "1000")
    written = [str(text) for text in texts(rows)]
    assert written == sorted(set(written))
    assert written[-1] == "99.000"
    assert acknowledged <= {row["id"] for row in rows}


def test_a_message_that_cannot_be_sent_now_is_sent_by_the_next_command(shell: Shell, room: str) -> None:
    lost = shell.start("--profile", "bob", "--server", "http://127.0.0.1:1", "send", room, "later")
    store = Folder.of("bob", shell.home).open(None, create=False)
    waiting = False
    while not waiting:
        with store.reading() as tx:
            waiting = bool(select_unsent(tx))
    store.close()
    lost.kill()
    lost.communicate()
    shell.run("--profile", "bob", "send", room, "now")
    assert texts(shell.rows("--profile", "ann", "history", room)) == ["later", "now"]


def test_another_server_in_the_environment_is_not_given_the_profiles_tokens(shell: Shell, room: str) -> None:
    shell.environment["APARTE_SERVER"] = "http://127.0.0.1:1"
    assert shell.run("--profile", "bob", "send", room, "safe")


def test_people_rooms_and_devices_are_listed(shell: Shell, room: str) -> None:
    shell.run("--profile", "ann", "topic", room, "de", "tout")
    assert shell.run("--profile", "bob", "topic", room) == "de tout\n"
    assert {row["username"]: row["role"] for row in shell.rows("--profile", "bob", "members", room)} == {
        f"ann-{shell.tag}": "owner",
        f"bob-{shell.tag}": "member",
    }
    assert [row["conversation"] for row in shell.rows("--profile", "bob", "rooms")] == [room]
    name = f"ann-{shell.tag}"
    shell.link("phone", name, "ann")
    assert [row["is_listed"] for row in shell.rows("--profile", "ann", "devices")] == [True, True]
    shell.run("--profile", "bob", "leave", room)
    assert shell.rows("--profile", "bob", "rooms") == []


WRONG = [
    (("--profile", "nobody", "rooms"), 4, "There is no such profile; register or log in first."),
    (("--profile", "ann", "send", "#nowhere", "x"), 1, "There is no room of this name (nowhere)."),
    (("--profile", "ann", "send", "@bob", "x"), 1, "There is nobody of this name (bob)."),
    (("--profile", "ann", "send", "salon", "x"), 2, "A target is '#room' (with quotes in most shells), @user, or @me"),
    (("--profile", "ann", "edit", "ROOM", "x", "y"), 2, "This is not the id of a message."),
    (("--profile", "../ann", "rooms"), 2, "A profile's name has letters"),
    (("--profile", "ann", "send", "ROOM", " "), 1, "Something in the request is not valid (text is blank)."),
    (("--profile", "ann", "send", "ROOM", "x", "--lines"), 2, "--lines reads standard input"),
    (("--profile", "ann", "nonsense"), 2, "No such command"),
    (("--profile", "ann", "listen", "--count", "0"), 2, "Invalid value"),
    (("--profile", "eve", "register", "eve"), 2, "Missing option '--email'"),
    (("--profile", "eve", "login", "eve"), 2, "--password-stdin"),
]


def test_what_goes_wrong_is_said_in_a_line(shell: Shell, room: str) -> None:
    for arguments, code, words in WRONG:
        out, errors = shell.both(*(room if argument == "ROOM" else argument for argument in arguments), code=code)
        assert out == ""
        assert words in errors
        assert "Traceback" not in errors


def test_errors_are_worded_in_french_and_as_json(shell: Shell, room: str) -> None:
    shell.environment["LANG"] = "fr_FR.UTF-8"
    _, errors = shell.both("--profile", "bob", "send", "#nowhere", "x", code=1)
    assert errors == "aparte: Aucun salon ne porte ce nom (nowhere).\n"
    _, errors = shell.both("--json", "--profile", "bob", "send", "#nowhere", "x", code=1)
    assert json.loads(errors)["error"] == "no_such_room"
    assert room


def test_a_session_that_is_over_is_not_signed_in(shell: Shell, room: str) -> None:
    shell.run("--profile", "ann", "logout")
    for command in (("whoami",), ("send", room, "x"), ("listen", "--timeout", "5"), ("logout",)):
        shell.run("--profile", "ann", *command, code=4)
    shell.run("--profile", "ann", "login", f"ann-{shell.tag}", "--password-stdin", stdin="wrong password\n", code=4)
    shell.run("--profile", "ann", "login", f"ann-{shell.tag}", "--password-stdin", stdin=PASSWORD + "\n")
    assert shell.run("--profile", "ann", "whoami") == f"ann-{shell.tag}\n"


def test_a_server_that_is_not_there_is_said_to_be_unreachable(shell: Shell, room: str) -> None:
    _, errors = shell.both("--profile", "ann", "--server", "http://127.0.0.1:1", "whoami", code=1)
    assert errors.startswith("aparte: The server cannot be reached")
    assert room


def test_a_profile_with_a_passphrase_asks_for_it(shell: Shell, room: str) -> None:
    shell.environment["APARTE_PASSPHRASE"] = "quite secret"
    shell.newcomer("eve")
    shell.run("--profile", "eve", "join", room)
    shell.environment["APARTE_PASSPHRASE"] = "something else"
    assert "does not open" in shell.both("--profile", "eve", "rooms", code=1)[1]
    del shell.environment["APARTE_PASSPHRASE"]
    assert "APARTE_PASSPHRASE" in shell.both("--profile", "eve", "rooms", code=1)[1]


def test_what_others_write_cannot_command_the_terminal(shell: Shell, room: str) -> None:
    shell.run("--profile", "bob", "send", room, "-", stdin="\x1b]0;owned\x07\x9b31m\u202etxt\nbob-x: fake 👩‍🚀")
    out = shell.run("--profile", "ann", "history", room)
    assert "\\u001b]0;owned\\u0007\\u009b31m\\u202etxt\n    bob-x: fake 👩‍🚀" in out
    assert "\x1b" not in out


def test_a_reader_that_has_enough_ends_the_command_quietly(shell: Shell, room: str) -> None:
    shell.run("--profile", "bob", "send", room, "-", "--lines", stdin="a\nb\nc\n")
    read_end, write_end = os.pipe()
    listening = shell.start("--profile", "ann", "listen", "--timeout", "20", stdout=write_end)
    os.close(write_end)
    os.close(read_end)
    assert listening.communicate(timeout=60)[1] == ""
    assert texts(shell.rows("--profile", "ann", "listen", "--count", "3", "--timeout", "20")) == ["a", "b", "c"]


def test_interrupting_is_no_error_message(shell: Shell, room: str) -> None:
    shell.run("--profile", "bob", "send", room, "so that something is heard")
    listening = shell.start("--profile", "ann", "listen")
    assert listening.stdout is not None
    assert listening.stdout.readline()
    listening.send_signal(signal.SIGINT)
    assert "Traceback" not in listening.communicate(timeout=30)[1]
    assert listening.returncode == 130


def test_two_people_talk_in_private_from_their_terminals(shell: Shell) -> None:
    for name in ("ann", "bob"):
        shell.newcomer(name)
    to_bob, to_ann = f"@bob-{shell.tag}", f"@ann-{shell.tag}"
    [sent] = shell.rows("--profile", "ann", "send", to_bob, "salut")
    assert sent["conversation"] == to_bob
    [heard] = shell.rows("--profile", "bob", "listen", "--count", "1", "--timeout", "20")
    assert list(heard)[:8] == KEYS
    assert (heard["conversation"], heard["from"], heard["text"]) == (to_ann, f"ann-{shell.tag}", "salut")
    assert heard["id"] == sent["id"]
    shell.run("--profile", "bob", "react", to_ann, str(sent["id"]), "👍")
    shell.run("--profile", "ann", "edit", to_bob, str(sent["id"]), "bonjour")
    [message] = shell.rows("--profile", "ann", "history", to_bob)
    assert (message["text"], message["edit_count"], message["kind"]) == ("bonjour", 1, "message")
    assert message["reactions"] == {"👍": [f"bob-{shell.tag}"]}
    assert "bonjour (edited) 👍×1" in shell.run("--profile", "bob", "history", to_ann)
    shell.run("--profile", "ann", "delete", to_bob, str(sent["id"]))
    assert texts(shell.rows("--profile", "bob", "history", to_ann)) == [None]
    shell.run("--profile", "ann", "restore", to_bob, str(sent["id"]))
    assert texts(shell.rows("--profile", "bob", "history", to_ann)) == ["bonjour"]


def test_notes_to_oneself_are_a_conversation(shell: Shell) -> None:
    shell.newcomer("ann")
    shell.run("--profile", "ann", "send", "@me", "milk")
    [note] = shell.rows("--profile", "ann", "history", "@me")
    assert (note["conversation"], note["text"], note["from"]) == ("@me", "milk", f"ann-{shell.tag}")


def test_nobody_of_that_name_is_said_so(shell: Shell) -> None:
    shell.newcomer("ann")
    _, told = shell.both("--profile", "ann", "send", f"@nobody-{shell.tag}", "salut", code=1)
    assert "nobody of this name" in told
