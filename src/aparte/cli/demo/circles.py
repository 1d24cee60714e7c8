"""What a group keeps to itself: two groups and a private room, which the server cannot read."""

from aparte.cli.demo.script import Line, Scene, there
from aparte.cli.demo.stage import Stage

READERS = ("alice", "bob", "carol", "grace", "ines")
CLUB = [
    Line("carol", "Next up: The Left Hand of Darkness. We meet on the 12th, at mine.", "book", pinned_by="alice",
         marks=(("alice", "📖"), ("grace", "📖"))),
    Line("alice", "Je l'ai en français, La Main gauche de la nuit. Ça ira ?", reply="book"),
    Line("carol", "Even better, we compare the translations.", marks=(("alice", "👍"),)),
    Line("bob", "I am on page 12. It is cold there.", marks=(("ines", "😂"), ("carol", "😂"))),
    Line("ines", "Moi j'ai fini, je ne dirai rien. Presque rien.", "done"),
    Line("grace", "No spoilers please! @ines", reply="done"),
    Line("bob", "Who brings what? I have tea and the walnut bread.", "what"),
    Line("ines", "Une tarte aux prunes.", thread="what", marks=(("bob", "❤️"),)),
    Line("grace", "Plates and good mood.", thread="what"),
    Line("carol", "@alice can you bring the folding chairs?"),
]  # fmt: skip
TRAVELLERS = ("emma", "alice", "david", "hugo", "lea")
WEEKEND = [
    Line("emma", "J'ai réservé le gîte pour le 20, cinq lits et une vue sur la mer.",
         marks=(("alice", "🌊"), ("lea", "🌊"), ("hugo", "🎉"))),
    Line("david", "On y va à vélo ?", "bike", marks=(("hugo", "😱"), ("lea", "😱"))),
    Line("hugo", "Non.", reply="bike", marks=(("emma", "😂"),)),
    Line("lea", "En train alors, il y en a un à 8 h 12."),
    Line("emma", "Le code de la porte est 4812, je l'efface demain.", ttl=86_400),
    Line("alice", "Parfait. J'apporte les jumelles.", marks=(("emma", "👍"),)),
]  # fmt: skip
COUNCIL = ("alice", "carol", "farid", "noor")
SECRET = [
    Line("alice", "Rien ne sort d'ici : on prépare une surprise pour les 20 ans du cinéma.", pinned_by="alice"),
    Line("noor", "I own the cinema, remember?", marks=(("carol", "🙈"), ("farid", "😂"))),
    Line("alice", "Alors fais semblant de ne rien savoir.", marks=(("noor", "🤐"),)),
    Line("farid", "Je peux éclairer toute la façade. Il me faut trois projecteurs."),
    Line("carol", "The library has two. One is a bit theatrical."),
]  # fmt: skip


async def play(stage: Stage) -> None:
    """Play all three."""
    club = await _group(stage, READERS, "Book club", "Un livre par mois / a book a month")
    await club.play(CLUB)
    await club.read("carol")
    weekend = await _group(stage, TRAVELLERS, "Week-end à Étretat", "Du 20 au 22")
    await weekend.play(WEEKEND)
    await (await _private_room(stage)).play(SECRET)


async def _group(stage: Stage, people: tuple[str, ...], name: str, topic: str) -> Scene:
    found = await there(stage, people[0], name)
    if found is None:
        made = await stage[people[0]].groups.new_group(name, people[1:], topic=topic)
        found = str(made.id)
    return Scene(stage, found)


async def _private_room(stage: Stage) -> Scene:
    owner, name = COUNCIL[0], "Comité surprise"
    found = await there(stage, owner, name)
    if found is None:
        found = str((await stage[owner].new_room(name, public=False, mode="e2ee", topic="Chut / hush")).id)
    inside = {member.username for member in await stage[owner].members(found)}
    if missing := [name for name in COUNCIL if name not in inside]:
        await stage[owner].groups.add_members(found, missing)
    return Scene(stage, found)
