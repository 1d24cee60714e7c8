"""What happened in a conversation, told in a sentence of French or English: who came, who went, what it is called."""

from collections.abc import Sequence

from aparte.client.core.events import Deed, Policy
from aparte.client.model import Event, Message
from aparte.client.words import Tongue
from aparte.wire.content import Role

NAMED = 3
"""So many people are named in a sentence; of more, the others are counted."""

SENTENCES: dict[Deed, tuple[str, str]] = {
    # English, French
    "created": ("{actor} created the {kind}", "{actor} a créé le {kind}"),
    "added": ("{actor} added {subjects}", "{actor} a ajouté {subjects}"),
    "removed": ("{actor} removed {subjects}", "{actor} a retiré {subjects}"),
    "left": ("{actor} left", "{actor} a quitté le {kind}"),
    "role": ("{actor} made {subjects} {role}", "{actor} a nommé {subjects} {role}"),
    "link_opened": ("{actor} opened an invite link", "{actor} a ouvert un lien d'invitation"),
    "link_closed": ("{actor} closed an invite link", "{actor} a fermé un lien d'invitation"),
    "joined": ("{actor} joined by an invite link", "{actor} est venu par un lien d'invitation"),
    "policy": ("{actor} changed the rules: {policy}", "{actor} a changé les règles : {policy}"),
    "named": ("{actor} named the {kind} {text}", "{actor} a nommé le {kind} {text}"),
    "topic": ("{actor} set the topic: {text}", "{actor} a changé le sujet : {text}"),
    "profile": ("{actor} changed the description", "{actor} a changé la description"),
    "pinned": ("{actor} pinned a message", "{actor} a épinglé un message"),
    "unpinned": ("{actor} unpinned a message", "{actor} a désépinglé un message"),
    "settings": ("{actor} lets messages disappear {ttl}", "{actor} fait disparaître les messages {ttl}"),
}
NO_TTL = ("{actor} lets messages stay", "{actor} fait rester les messages")
BEGINNINGS: dict[str, tuple[str, str]] = {
    "sending": ("{time} after they are sent", "{time} après leur envoi"),
    "reading": ("{time} after they are read", "{time} après leur lecture"),
}
UNITS = (
    # seconds, English: one and more, French: one and more
    (86_400, ("day", "days"), ("jour", "jours")),
    (3_600, ("hour", "hours"), ("heure", "heures")),
    (60, ("minute", "minutes"), ("minute", "minutes")),
    (1, ("second", "seconds"), ("seconde", "secondes")),
)
KINDS: dict[str, tuple[str, str]] = {
    "group": ("group", "groupe"),
    "room": ("room", "salon"),
    "channel": ("channel", "canal"),
    "direct": ("conversation", "fil"),
    "self": ("notes", "bloc-notes"),
}
NO_TOPIC = ("{actor} removed the topic", "{actor} a supprimé le sujet")
HEIR = ("; {heir} owns the group from here on", " ; {heir} en est désormais propriétaire")
AND_OTHERS = ("{names} and {count} others", "{names} et {count} autres")
AND = (" and ", " et ")

ROLES: dict[Role, tuple[str, str]] = {
    "member": ("a member", "membre"),
    "moderator": ("a moderator", "modérateur"),
    "admin": ("an admin", "administrateur"),
    "owner": ("the owner", "propriétaire"),
}

POLICIES: dict[Policy, tuple[tuple[str, str], tuple[str, str]]] = {
    # set: English, French; not set: English, French
    "members_add": (
        ("every member adds people", "chaque membre ajoute des personnes"),
        ("admins add people", "les administrateurs ajoutent des personnes"),
    ),
    "history": (
        ("earlier messages may be passed on to newcomers", "les anciens messages peuvent être transmis aux nouveaux"),
        ("newcomers read from their arrival on", "les nouveaux lisent à partir de leur arrivée"),
    ),
    "moderators_write": (
        ("moderators and above write", "seuls les modérateurs et au-dessus écrivent"),
        ("everybody writes", "tout le monde écrit"),
    ),
}


def tell(message: Message, tongue: Tongue = "en") -> str:
    """Say what a message of the stream or of history tells that nobody said; empty for what somebody did say."""
    event = message.event
    if event is None:
        return ""
    place = 0 if tongue == "en" else 1
    sentence = _sentence(event)[place]
    said = sentence.format(
        actor=message.sender,
        subjects=listed(event.subjects, tongue),
        role=ROLES[event.role][place] if event.role else "",
        policy=policy_in_words(event.policy, tongue),
        text=event.text,
        kind=KINDS[event.kind][place],
        ttl=lasting(event.ttl, tongue) if event.ttl else "",
    )
    return said + (HEIR[place].format(heir=event.heir) if event.heir else "")


def _sentence(event: Event) -> tuple[str, str]:
    if event.deed == "topic" and not event.text:
        return NO_TOPIC
    return NO_TTL if event.deed == "settings" and event.ttl is None else SENTENCES[event.deed]


def lasting(ttl: tuple[str, int], tongue: Tongue) -> str:
    """Say how long messages are there, and from when: in the largest units that fit, two at most."""
    place, (beginning, seconds) = 0 if tongue == "en" else 1, ttl
    parts: list[str] = []
    for size, *names in UNITS:
        count, seconds = divmod(seconds, size)
        parts += [f"{count} {names[place][0 if count == 1 else 1]}"] if count else []
    return BEGINNINGS[beginning][place].format(time=AND[place].join(parts[:2]))


def listed(names: Sequence[str], tongue: Tongue) -> str:
    """Name people, and count the rest where they are many."""
    place = 0 if tongue == "en" else 1
    if len(names) > NAMED + 1:
        return AND_OTHERS[place].format(names=", ".join(names[:NAMED]), count=len(names) - NAMED)
    return AND[place].join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)


def policy_in_words(policy: Sequence[Policy], tongue: Tongue) -> str:
    """Say what a group's policy means."""
    place = 0 if tongue == "en" else 1
    return ", ".join(words[0 if name in policy else 1][place] for name, words in POLICIES.items())
