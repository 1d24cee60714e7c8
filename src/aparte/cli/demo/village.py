"""What everybody can read: a public room with threads and a moderator, and a channel where two people write."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from aparte.cli.demo.cast import NAMES
from aparte.cli.demo.script import Line, Scene, there
from aparte.cli.demo.stage import Stage
from aparte.client import ClientError

VILLAGE, NEWS = "village", "news"
SQUARE = [
    Line("alice", "Bienvenue sur la place du village ! Ici on parle de tout, en français or in English.",
         marks=(("bob", "👋"), ("emma", "👋"), ("grace", "❤️")), pinned_by="alice"),
    Line("grace", "Hello everybody, I moved here in May and still get lost behind the church.", "lost",
         marks=(("alice", "😄"), ("hugo", "😄"))),
    Line("hugo", "Tout le monde s'y perd. Passe à l'épicerie, je te dessine un plan.", reply="lost"),
    Line("bob", "Fresh bread from seven tomorrow. Rye, and a few with walnuts.", "bread",
         marks=(("carol", "🍞"), ("ines", "🍞"), ("hugo", "👍"))),
    Line("carol", "Could you keep one with walnuts for me?", thread="bread"),
    Line("bob", "Done, it has your name on it.", thread="bread", marks=(("carol", "🙏"),)),
    Line("lea", "Et un pour la bibliothèque ? On lit mieux avec du pain.", thread="bread"),
    Line("bob", "Of course. Deux noix, un seigle.", thread="bread"),
    Line("david", "Sortie à vélo dimanche, départ 9 h devant la mairie. Qui vient ?", "ride",
         first="Sortie à vélo dimanche, départ 8 h devant la mairie. Qui vient ?",
         marks=(("emma", "🚲"), ("farid", "🚲"), ("noor", "🤔"))),
    Line("emma", "Moi, si on s'arrête pour les photos.", thread="ride"),
    Line("farid", "Moi aussi. @hugo tu prêtes la pompe ?", thread="ride"),
    Line("hugo", "Elle est derrière le comptoir.", thread="ride", marks=(("farid", "👍"),)),
    Line("noor", "Friday at the cinema: **Playtime**, in the old print. Doors at *eight*.", "film", form="markdown",
         marks=(("alice", "🎬"), ("grace", "🎬"), ("carol", "🎬"), ("lea", "😍"))),
    Line("grace", "Is it in French?", thread="film"),
    Line("noor", "Hardly anybody talks in it. You will be fine, @grace.", thread="film", marks=(("grace", "😅"),)),
    Line("ines", "Quelqu'un a perdu un chat roux ? Il dort dans mon panier à linge.", "cat",
         marks=(("lea", "😻"), ("alice", "😻"), ("emma", "😂"))),
    Line("farid", "C'est Ampère. Je viens le chercher, merci @ines !", reply="cat"),
    Line("alice", "@bob @hugo il nous faut une table de plus pour le marché, vous pouvez ?"),
    Line("hugo", "Oui pour une."),
]  # fmt: skip
HELD = "Vends trottinette presque neuve, occasion unique, payez en bitcoin !"
ANNOUNCED = [
    Line("alice", "Marché nocturne samedi, de 18 h à 23 h, place de la mairie.", pinned_by="alice",
         marks=(("bob", "🎉"), ("grace", "🎉"), ("lea", "🎉"), ("noor", "👍"))),
    Line("carol", "The library stays open until nine on Thursdays from now on.",
         marks=(("lea", "📚"), ("grace", "📚"))),
    Line("alice", "La rue du Four est fermée lundi : on change les canalisations.", marks=(("david", "😩"),)),
]  # fmt: skip


async def play(stage: Stage) -> None:
    """Play the room, then the channel."""
    await _room(stage)
    await _channel(stage)


async def _room(stage: Stage) -> None:
    alice, room = stage["alice"], await there(stage, "alice", VILLAGE)
    if room is None:
        made = await alice.new_room(
            VILLAGE,
            topic="La place du village / the village square",
            welcome="Bienvenue, welcome! Dites-nous qui vous êtes.",
            rules="Be kind. On ne vend rien ici sans prévenir.",
            metadata={"theme": "village", "auto_moderate": True},
        )
        room = str(made.id)
    for name in NAMES[1:]:
        await stage[name].join(room)
    await alice.change_role(room, "carol", "moderator")
    await alice.moderation.set_words(room, ["bitcoin*", "occasion unique"])
    if not await alice.roles.list(room):
        await alice.roles.define(room, "Commerçants", {"pin": True}, colour="#d97706")
    for name in ("bob", "hugo"):
        await alice.roles.give(room, name, "Commerçants")
    await alice.set_nickname(room, "Hugo (épicerie)", username="hugo")
    scene = Scene(stage, room)
    await scene.play(SQUARE)
    if not await stage["jack"].moderation.held(room):
        with suppress(ClientError):  # it is held
            await stage["jack"].send(room, HELD)
    for name in ("bob", "carol", "emma"):
        await scene.read(name)


async def _channel(stage: Stage) -> None:
    alice, channel = stage["alice"], await there(stage, "alice", NEWS)
    if channel is None:
        channel = str((await alice.new_channel(NEWS, public=True, topic="Annonces de la mairie")).id)
    for name in NAMES[1:]:
        await stage[name].join(channel)
    await alice.change_role(channel, "carol", "moderator")
    await Scene(stage, channel).play(ANNOUNCED)
    if not await alice.scheduled.list(channel):
        later = datetime.now(UTC) + timedelta(days=2)
        await alice.scheduled.add(channel, "Rappel : le marché, c'est ce soir !", later)
