"""Devices and keys from a terminal: linking over two windows, numbers read to each other, a phone that is lost."""

import subprocess

from tests.cli.conftest import PASSWORD, Shell, hear, say


def rows(shell: Shell, profile: str) -> dict[str, bool]:
    return {row["device_id"]: row["is_listed"] for row in shell.rows("--profile", profile, "devices")}


def me(shell: Shell, profile: str) -> str:
    return str(shell.rows("--profile", profile, "whoami")[0]["device_id"])


def test_a_phone_is_linked_lost_and_taken_off(shell: Shell) -> None:
    shell.newcomer("ann")
    name = f"ann-{shell.tag}"
    assert shell.link("phone", name, "ann") == "The device is linked.\n"
    phone = me(shell, "phone")
    assert rows(shell, "ann") == {me(shell, "ann"): True, phone: True}
    assert [line.split()[:2] for line in shell.run("--profile", "ann", "devices").splitlines() if phone in line] == [
        [phone, "*"]
    ]
    _, errors = shell.both(
        "--profile", "ann", "devices", "revoke", phone, "--password-stdin", stdin="not this one\n", code=4
    )
    assert errors == "aparte: The name or the password is wrong.\n"
    shell.run("--profile", "ann", "devices", "revoke", phone, "--password-stdin", stdin=PASSWORD + "\n")
    assert rows(shell, "ann")[me(shell, "ann")]
    assert not rows(shell, "ann").get(phone)
    shell.run("--profile", "phone", "whoami", code=4)
    shell.run("--profile", "phone", "login", name, "--password-stdin", stdin=PASSWORD + "\n", code=5)


def test_the_offer_stands_alone_on_the_first_line_and_a_wrong_code_ends_it(shell: Shell) -> None:
    shell.newcomer("ann")
    name = f"ann-{shell.tag}"
    new = shell.start("--profile", "phone", "link", name, "--password-stdin", stdin=subprocess.PIPE)
    say(new, PASSWORD)
    offer = hear(new)
    assert len(offer) == 107
    old = shell.start("--profile", "ann", "devices", "approve", offer, "--yes", stdin=subprocess.PIPE)
    say(old, PASSWORD)
    assert hear(new) == f"account: {name}"
    code = hear(new).removeprefix("code: ")
    say(old, f"{(int(code) + 1) % 1_000_000:06d}")
    _, errors = old.communicate(timeout=60)
    assert (old.returncode, errors.splitlines()[-1][:26]) == (5, "aparte: The code is wrong;")
    _, errors = new.communicate(timeout=60)
    assert (new.returncode, errors[:37]) == (1, "aparte: The time for linking is over;")


def test_another_profile_is_told_to_link(shell: Shell) -> None:
    shell.newcomer("ann")
    login = ("--profile", "phone", "login", f"ann-{shell.tag}", "--password-stdin")
    assert "aparte link" in shell.both(*login, stdin=PASSWORD + "\n", code=1)[1]


def test_nothing_is_approved_where_nobody_can_be_asked(shell: Shell) -> None:
    shell.newcomer("ann")
    for offer in ("hello", "-7hello"):
        assert "not an offer" in shell.both("--profile", "ann", "devices", "approve", offer, "--yes", code=5)[1]
    new = shell.start("--profile", "phone", "link", f"ann-{shell.tag}", "--password-stdin", stdin=subprocess.PIPE)
    say(new, PASSWORD)
    approve = ("--profile", "ann", "devices", "approve", hear(new))
    assert "--yes" in shell.both(*approve, stdin=PASSWORD + "\n", code=2)[1]
    new.kill()
    new.communicate()


def test_two_people_compare_numbers(shell: Shell) -> None:
    shell.newcomer("ann")
    shell.newcomer("bob")
    ann, bob = f"@ann-{shell.tag}", f"@bob-{shell.tag}"
    number = shell.run("--profile", "ann", "verify", bob).splitlines()[0]
    assert [len(group) for group in number.split()] == [5] * 12
    assert shell.run("--profile", "bob", "verify", ann).splitlines()[0] == number
    shell.run("--profile", "ann", "verify", bob, "--yes")
    [row] = shell.rows("--profile", "ann", "verify", bob)
    assert (row["verified"], row["changed"], row["safety_number"]) == (True, False, number.replace(" ", ""))
    [row] = shell.rows("--profile", "bob", "verify", ann)
    assert not row["verified"]
    shell.run("--profile", "ann", "verify", "@nobody", code=1)


def test_nothing_goes_to_a_verified_person_whose_key_changed_until_it_is_accepted(shell: Shell) -> None:
    shell.newcomer("ann")
    shell.newcomer("bob")
    name, bob = f"bob-{shell.tag}", f"@bob-{shell.tag}"
    shell.run("--profile", "ann", "verify", bob, "--yes")
    shell.run("--profile", "ann", "send", bob, "before")
    shell.link("phone", name, "bob")
    phone = me(shell, "phone")
    shell.run("--profile", "ann", "send", bob, "to both of them")
    shell.run("--profile", "bob", "devices", "revoke", phone, "--password-stdin", stdin=PASSWORD + "\n")
    _, errors = shell.both("--profile", "ann", "send", bob, "to whom?", code=5)
    assert "compare numbers again" in errors
    [row] = shell.rows("--profile", "ann", "verify", bob)
    assert (row["verified"], row["changed"]) == (False, True)
    shell.run("--profile", "ann", "verify", bob, "--yes")
    shell.run("--profile", "ann", "send", bob, "to you")
    heard = shell.rows("--profile", "bob", "listen", "--count", "3", "--timeout", "20")
    assert [row["text"] for row in heard] == ["before", "to both of them", "to you"]
