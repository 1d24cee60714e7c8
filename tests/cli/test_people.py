"""People from a terminal: the address book, requests, blocks, finding them, and who may see what; and searching."""

from tests.cli.conftest import Shell


def test_people_become_contacts_and_block_each_other(shell: Shell) -> None:
    for name in ("ann", "bob"):
        shell.newcomer(name)
    to_ann, to_bob = f"@ann-{shell.tag}", f"@bob-{shell.tag}"
    assert (
        shell.run("--profile", "ann", "contacts", "request", to_bob, "--note", "from the club") == "You have asked.\n"
    )
    [row] = shell.rows("--profile", "bob", "contacts", "requests")
    assert (row["person"]["username"], row["note"], row["status"]) == (to_ann[1:], "from the club", "pending")
    assert shell.run("--profile", "bob", "contacts", "requests").startswith(f"←  {to_ann}  waiting  ")
    assert shell.run("--profile", "bob", "contacts", "accept", to_ann) == "You are contacts.\n"
    shell.run("--profile", "ann", "contacts", "add", to_bob, "--name", "Bobby")
    assert shell.run("--profile", "ann", "contacts") == f"{to_bob}  Bobby\n"
    shell.run("--profile", "ann", "block", to_bob, "--reason", "too loud")
    assert shell.run("--profile", "ann", "contacts", "list") == f"{to_bob}  Bobby  (blocked)\n"
    assert shell.rows("--profile", "ann", "blocks")[0]["reason"] == "too loud"
    shell.run("--profile", "ann", "unblock", to_bob)
    assert shell.run("--profile", "ann", "blocks") == ""
    shell.run("--profile", "ann", "contacts", "remove", to_bob)
    assert shell.run("--profile", "ann", "contacts") == ""


def test_who_may_find_one_is_ones_own_choice(shell: Shell) -> None:
    for name in ("ann", "bob"):
        shell.newcomer(name)
    address = f"bob-{shell.tag}@example.org"
    shell.run("--profile", "ann", "find", "--email", address, code=1)
    assert "find_by_email  everyone  who finds you by e-mail" in shell.run(
        "--profile", "bob", "privacy", "find_by_email", "everyone"
    ).replace("   ", "  ").replace("   ", "  ")
    assert shell.rows("--profile", "bob", "privacy")[0]["find_by_email"] == "everyone"
    assert shell.rows("--profile", "ann", "find", "--email", address)[0]["username"] == f"bob-{shell.tag}"
    shell.run("--profile", "ann", "find", code=2)
    shell.run("--profile", "bob", "privacy", "find_by_email", code=2)
    assert f"@bob-{shell.tag}" in shell.run("--profile", "ann", "search", "people", f"bob-{shell.tag}")


def test_messages_are_found_again(shell: Shell, room: str) -> None:
    message = shell.run("--profile", "bob", "send", room, "the quick brown fox").strip()
    rows: list[dict[str, object]] = []
    while not rows:
        rows = shell.rows(
            "--profile", "ann", "search", "messages", "quick", "--in", room, "--from", f"@bob-{shell.tag}"
        )
    assert [(row["id"], row["highlights"]) for row in rows] == [(message, [[4, 9]])]
    assert shell.rows("--profile", "ann", "search", "messages", "quick", "--in", room, "--has", "link") == []
    assert shell.rows("--profile", "ann", "search", "messages", "quick", "--in", room, "--before", "2020-01-01") == []
    shell.run("--profile", "ann", "search", "rooms", "--metadata", "[", code=2)


def test_everything_is_told_in_french_to_the_french(shell: Shell, room: str) -> None:
    shell.environment["LANG"] = "fr_FR.UTF-8"
    bob = f"@bob-{shell.tag}"
    assert shell.run("--profile", "ann", "mute", room) == "averti de tout, en silence\n"
    assert shell.run("--profile", "ann", "block", bob) == "Bloqué.\n"
    assert shell.run("--profile", "ann", "silence", room, bob, "10m").startswith("Réduit au silence jusqu'au ")
    assert "réduit au silence" in shell.both("--profile", "bob", "send", room, "x", code=1)[1]
    assert "a fait taire" in shell.run("--profile", "bob", "listen", "--timeout", "5", code=3)
