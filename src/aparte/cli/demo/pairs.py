"""What two say to each other, what one notes for oneself, and what one has set for oneself alone."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from aparte.cli.demo.script import Line, Scene, there
from aparte.cli.demo.stage import Stage
from aparte.client import ClientError

WITH_BOB = [
    Line("bob", "Morning! Are we still on for Thursday?", "thursday"),
    Line("alice", "Yes, seven, at the café by the river.", reply="thursday", marks=(("bob", "👍"),)),
    Line("bob", "I booked the table outside.", first="I booked the table inside."),
    Line("alice", "S'il pleut je te tiens pour responsable.", marks=(("bob", "☔"),)),
    Line("bob", "The alarm code while I am away: 7741. It disappears tomorrow.", ttl=86_400),
    Line("bob", "And bring the book back, you have had it since March."),
]
WITH_LEA = [
    Line("lea", "Tu peux relire ma lettre de motivation ?"),
    Line("alice", "Bien sûr, envoie.", marks=(("lea", "🙏"),)),
    Line("lea", "Demain, promis. Là elle fait trois pages."),
]
OTHERS = [
    ("grace", "hugo", [
        Line("grace", "Do you have rice paper?"),
        Line("hugo", "Mardi. I keep you two packets.", marks=(("grace", "❤️"),)),
    ]),
    ("noor", "carol", [
        Line("noor", "Would the library lend us a hundred chairs on Friday?"),
        Line("carol", "Forty. And they come back dry this time.", marks=(("noor", "😇"),)),
    ]),
]  # fmt: skip
NOTES = [
    Line("alice", "Courses : tomates, piles, timbres."),
    Line("alice", "Idée pour le marché : un coin échange de graines.", pinned_by="alice"),
]


async def play(stage: Stage) -> None:
    """Play the pairs and the notes, then set what alice has set for herself."""
    await _people(stage)
    for one, other, lines in [("bob", "alice", WITH_BOB), ("lea", "alice", WITH_LEA), *OTHERS]:
        await Scene(stage, {one: f"@{other}", other: f"@{one}"}.__getitem__).play(lines)
    await Scene(stage, "@me").play(NOTES)
    if not await stage["bob"].scheduled.list("@alice"):
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        await stage["bob"].scheduled.add("@alice", "Happy birthday! (I wrote this yesterday.)", tomorrow)
    await _settings(stage)


async def _people(stage: Stage) -> None:
    alice = stage["alice"]
    for name, nickname in (("carol", "Carol, bibliothèque"), ("lea", None)):
        await alice.contacts.add(name, nickname=nickname)
    known = {contact.person.username for contact in await alice.contacts.list()}
    if "bob" not in known:
        await alice.contacts.request("bob", "C'est moi, du marché")
        await stage["bob"].contacts.accept("alice")
    with suppress(ClientError):  # asked already
        await stage["jack"].contacts.request("alice", "I have a bike for you, almost free")
    await stage["noor"].contacts.block("jack", "too many bikes")


async def _settings(stage: Stage) -> None:
    """The top of her list, what she is told of, and what she was about to write."""
    alice = stage["alice"]
    await alice.pin_conversation("@bob")
    await alice.label("@bob", "amis")
    if (club := await there(stage, "alice", "Book club")) is not None:
        await alice.label(club, "livres", "amis")
        await alice.set_draft(club, "Oui pour les chaises, mais seulement si")
    if (village := await there(stage, "alice", "village")) is not None:
        await alice.set_level(village, "mentions")
