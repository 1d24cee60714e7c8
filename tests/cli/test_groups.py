"""Groups from a terminal: made, joined, talked in, changed, left; told in words, and in JSON for scripts."""

import subprocess
from types import SimpleNamespace

import pytest
from tests.cli.conftest import PASSWORD, Shell

from aparte.cli import progress
from aparte.client import Client, Credentials, Place

NAME = "Book club"
GROUP = f"+{NAME}"


async def register(shell: Shell, *names: str) -> None:
    for name in names:
        place = Place(name, home=shell.home, server=shell.environment["APARTE_SERVER"])
        who = Credentials(f"{name}-{shell.tag}", PASSWORD)
        async with Client.register(place, who, email=f"{who.username}@example.org"):
            pass


@pytest.fixture
async def circle(shell: Shell) -> Shell:
    """Ann, who has a group with bob, and carol, who is not in it."""
    await register(shell, "ann", "bob", "carol")
    place = Place("ann", home=shell.home)
    async with Client.open(place) as ann:
        await ann.groups.new_group(NAME, [f"bob-{shell.tag}"], topic="one a month")
    return shell


def at(shell: Shell, name: str) -> str:
    return f"@{name}-{shell.tag}"


def told(out: str) -> list[str]:
    """Lines without their time."""
    return [line[17:] for line in out.splitlines()]


def test_a_group_is_talked_in(circle: Shell) -> None:
    ann, bob = f"ann-{circle.tag}", f"bob-{circle.tag}"
    [sent] = circle.rows("--profile", "ann", "send", GROUP, "who brings", "what?")
    heard = circle.rows("--profile", "bob", "listen", "--count", "1", "--timeout", "30")
    assert [(row["kind"], row.get("event", {}).get("action")) for row in heard] == [
        ("statement", "added"),
        ("profile", "named"),
        ("message", None),
    ]
    assert heard[0]["event"]["subjects"] == [bob]
    assert heard[0]["message"] == f"{ann} added {bob}"
    assert (heard[2]["id"], heard[2]["conversation"], heard[2]["text"]) == (sent["id"], GROUP, "who brings what?")
    circle.run(
        "--profile", "bob", "send", GROUP.upper(), "the tea", "--reply", sent["id"], "--mention", at(circle, "ann")
    )
    circle.run("--profile", "bob", "react", GROUP, sent["id"], "☕")
    circle.run("--profile", "ann", "pin", GROUP, sent["id"])
    assert told(circle.run("--profile", "bob", "history", GROUP))[-3:] == [
        f"{GROUP} {ann}: who brings what? ☕×1 (pinned)",
        f"{GROUP} {bob}: (to {ann}: who brings what?) the tea (@{ann})",
        f"{GROUP} * {ann} pinned a message",
    ]
    [_, answer, _] = circle.rows("--profile", "ann", "history", GROUP, "--limit", "2")
    assert (answer["reply"], answer["mentions"]) == ({"id": sent["id"], "from": ann}, [ann])
    assert len(circle.run("--profile", "bob", "pins", GROUP).splitlines()) == 1
    circle.run("--profile", "bob", "pin", GROUP, sent["id"], code=1)
    circle.run("--profile", "ann", "pin", GROUP, sent["id"], "--off")
    assert circle.run("--profile", "ann", "pins", GROUP) == ""


def test_people_come_by_a_link_and_are_told_the_name(circle: Shell) -> None:
    ann, carol = f"ann-{circle.tag}", f"carol-{circle.tag}"
    link = circle.run("--profile", "ann", "invite", GROUP, "--uses", "1", "--expires", "2d").strip()
    [row] = circle.rows("--profile", "ann", "invites", GROUP)
    assert (row["link"], row["role"], row["uses"], row["used"]) == (link, "member", 1, 0)
    assert row["expires_at"] is not None
    assert circle.run("--profile", "carol", "join", link) == f"{GROUP}\n"
    circle.run("--profile", "ann", "send", GROUP, "welcome")
    circle.run("--profile", "carol", "send", GROUP, "here I am")
    lines = told(circle.run("--profile", "ann", "listen", "--count", "1", "--timeout", "30"))
    assert lines == [f"{GROUP} * {carol} joined by an invite link", f"{GROUP} {carol}: here I am"]
    assert told(circle.run("--profile", "carol", "history", GROUP))[-2:] == [
        f"{GROUP} {ann}: welcome",
        f"{GROUP} {carol}: here I am",
    ]
    circle.run("--profile", "ann", "invites", GROUP, "--close", row["id"])
    assert circle.run("--profile", "ann", "invites", GROUP) == ""
    circle.run("--profile", "carol", "leave", GROUP)
    _, said = circle.both("--profile", "carol", "join", link, code=1)
    assert said == "aparte: This invite link is closed, used up or expired; ask for another.\n"


def test_who_is_in_is_changed_and_told(circle: Shell) -> None:
    people = {name: f"{name}-{circle.tag}" for name in ("ann", "bob", "carol")}
    assert circle.both("--profile", "bob", "add", GROUP, at(circle, "carol"), code=1)[1] == (
        "aparte: Your role does not allow this.\n"
    )
    assert "every member adds people" in circle.run("--profile", "ann", "policy", GROUP, "--members-add", "--history")
    circle.run("--profile", "ann", "send", GROUP, "before")
    assert circle.run("--profile", "bob", "add", GROUP, at(circle, "carol"), "--history") == "Added.\n"
    assert f"{GROUP} {people['ann']}: before (passed on by {people['bob']})" in told(
        circle.run("--profile", "carol", "history", GROUP)
    )
    circle.run("--profile", "ann", "role", GROUP, at(circle, "bob"), "moderator")
    circle.run("--profile", "bob", "remove", GROUP, at(circle, "carol"), "--ban")
    assert circle.both("--profile", "carol", "send", GROUP, "still?", code=1)[0] == ""
    assert [row["username"] for row in circle.rows("--profile", "ann", "unban", GROUP)] == [people["carol"]]
    assert "banned here" in circle.both("--profile", "ann", "add", GROUP, at(circle, "carol"), code=1)[1]
    circle.run("--profile", "ann", "unban", GROUP, at(circle, "carol"))
    circle.run("--profile", "ann", "add", GROUP, at(circle, "carol"))
    rows = circle.rows("--profile", "carol", "members", GROUP)
    assert [(row["username"], row["role"], row["verified"]) for row in rows] == [
        (people["ann"], "owner", False),
        (people["bob"], "moderator", False),
        (people["carol"], "member", False),
    ]
    assert circle.both("--profile", "carol", "history", GROUP)[1] == ""
    circle.run("--profile", "ann", "leave", GROUP)
    lines = told(circle.run("--profile", "bob", "history", GROUP))
    assert lines[-5:] == [
        f"{GROUP} * {people['bob']} added {people['carol']}",
        f"{GROUP} * {people['ann']} made {people['bob']} a moderator",
        f"{GROUP} * {people['bob']} removed {people['carol']}",
        f"{GROUP} * {people['ann']} added {people['carol']}",
        f"{GROUP} * {people['ann']} left; {people['bob']} owns the group from here on",
    ]
    assert circle.run("--profile", "ann", "groups") == ""
    assert f"{GROUP} {people['ann']}: before" in told(circle.run("--profile", "ann", "history", GROUP))
    circle.run("--profile", "ann", "send", GROUP, "gone", code=1)


def test_a_group_is_renamed_and_two_of_one_name_are_told_apart(circle: Shell) -> None:
    circle.run("--profile", "ann", "topic", GROUP, "two", "a", "month")
    assert circle.run("--profile", "ann", "rename", GROUP, "Reading", "circle") == "+Reading circle\n"
    assert circle.run("--profile", "bob", "topic", "+reading circle") == "two a month\n"
    assert "* " + f"ann-{circle.tag} named the group Reading circle" in circle.run(
        "--profile", "bob", "history", "+Reading circle"
    )
    circle.run("--profile", "bob", "new", "group", "Reading circle")
    ids = {row["id"] for row in circle.rows("--profile", "bob", "groups")}
    _, said = circle.both("--profile", "bob", "send", "+Reading circle", "which?", code=2)
    assert all(one in said for one in ids)
    assert circle.run("--profile", "bob", "send", f"+{min(ids)}", "this one")


def test_a_group_says_more_of_itself_than_its_name(circle: Shell) -> None:
    circle.run("--profile", "ann", "about", GROUP, "--welcome", "salut", "--rules", "r" * 4000)
    circle.run("--profile", "ann", "rename", GROUP, "Cercle")
    [row] = circle.rows("--profile", "bob", "about", "+cercle")
    assert row == {"name": "Cercle", "topic": "one a month", "description": "", "welcome": "salut", "rules": "r" * 4000}
    assert circle.both("--profile", "ann", "about", "+cercle", "--rules", "r" * 4001, code=1)[0] == ""
    assert circle.both("--profile", "bob", "about", "+cercle", "--rules", "mine", code=1)[0] == ""
    assert circle.run("--profile", "ann", "about", "+cercle").startswith("Cercle\n\none a month\n\nsalut\n\nrrr")


WRONG = [
    (("send", "+nowhere", "x"), 1, "None of your groups has this name here"),
    (("send", "+", "x"), 2, "+name is a group"),
    (("new", "group", " "), 1, "not valid"),
    (("new", "group", "x" * 101), 1, "not valid"),
    (("new", "group", "x", "--topic", "x" * 501), 1, "not valid"),
    (("new", "group", "x", "@nobody"), 1, "There is nobody of this name"),
    (("invite", GROUP, "--expires", "tomorrow"), 2, "Invalid value"),
    (("invite", GROUP, "--expires", "0d"), 2, "Invalid value"),
    (("invite", GROUP, "--uses", "0"), 2, "Invalid value"),
    (("invite", GROUP, "--role", "owner"), 2, "Invalid value"),
    (("invites", GROUP, "--close", "x"), 1, "nothing here"),
    (("join", "http://127.0.0.1/i/x#y"), 5, "not an invite link"),
    (("policy", "@me"), 1, "encrypted differently"),
    (("role", GROUP, "@me", "king"), 1, "nobody of this name"),
    (("pin", GROUP, "x"), 2, "not the id of a message"),
]


def test_what_goes_wrong_is_said_in_a_line(circle: Shell) -> None:
    for arguments, code, words in WRONG:
        out, errors = circle.both("--profile", "ann", *arguments, code=code)
        assert (out, words in errors) == ("", True), (arguments, errors)


def test_the_longest_name_and_topic_are_taken(circle: Shell) -> None:
    assert circle.run("--profile", "ann", "new", "group", "x" * 100, "--topic", "y" * 500) == f"+{'x' * 100}\n"


def test_french_is_told_in_french(circle: Shell) -> None:
    circle.environment["LANG"] = "fr_FR.UTF-8"
    circle.run("--profile", "ann", "policy", GROUP, "--moderators-write")
    lines = told(circle.run("--profile", "bob", "history", GROUP))
    assert f"{GROUP} * ann-{circle.tag} a ajouté bob-{circle.tag}" in lines
    assert any("seuls les modérateurs et au-dessus écrivent" in line for line in lines)
    _, said = circle.both("--profile", "bob", "send", GROUP, "puis-je ?", code=1)
    assert said == "aparte: Votre rôle ne le permet pas.\n"


def test_listening_tells_of_keys_as_they_change(circle: Shell) -> None:
    circle.run("--profile", "bob", "send", at(circle, "ann"), "salut")
    circle.run("--profile", "bob", "send", GROUP, "salut")
    listening = circle.start("--profile", "ann", "listen", "--timeout", "120", stdout=subprocess.DEVNULL)
    try:
        circle.link("phone", f"bob-{circle.tag}", "bob")
        assert listening.stderr is not None
        said = listening.stderr.readline()
    finally:
        listening.terminate()
        listening.communicate()
    assert said.startswith(f"aparte: A new device was added to an account (bob-{circle.tag}, ")


def test_a_first_message_to_many_counts_the_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    screen = SimpleNamespace(isatty=lambda: True, write=written.append, flush=lambda: None)
    monkeypatch.setattr(progress.sys, "stderr", screen)
    clock = iter([10.0, 10.5, 12.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    me = SimpleNamespace(progress=None)
    with progress.reaching(me):  # type: ignore[arg-type]
        me.progress("distribution", 1, 200)
        me.progress("distribution", 30, 200)
        assert written == []
        me.progress("distribution", 57, 200)
    assert written[0].startswith("\rReaching devices 57/200")
    assert me.progress is None


def test_nothing_is_counted_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.sys, "stderr", SimpleNamespace(isatty=lambda: False))
    me = SimpleNamespace(progress=None)
    with progress.reaching(me):  # type: ignore[arg-type]
        assert me.progress is None
