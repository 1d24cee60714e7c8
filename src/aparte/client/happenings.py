"""What happened in a conversation, told in a sentence of French or English: who came, who went, what it is called."""

from collections.abc import Sequence

from aparte.client.core.events import Deed, Policy
from aparte.client.model import Message
from aparte.client.words import Tongue
from aparte.wire.content import Role

NAMED = 3
"""So many people are named in a sentence; of more, the others are counted."""

SENTENCES: dict[Deed, tuple[str, str]] = {
    # English, French
    "created": ("{actor} created the group", "{actor} a créé le groupe"),
    "added": ("{actor} added {subjects}", "{actor} a ajouté {subjects}"),
    "removed": ("{actor} removed {subjects}", "{actor} a retiré {subjects}"),
    "left": ("{actor} left", "{actor} a quitté le groupe"),
    "role": ("{actor} made {subjects} {role}", "{actor} a nommé {subjects} {role}"),
    "link_opened": ("{actor} opened an invite link", "{actor} a ouvert un lien d'invitation"),
    "link_closed": ("{actor} closed an invite link", "{actor} a fermé un lien d'invitation"),
    "joined": ("{actor} joined by an invite link", "{actor} est venu par un lien d'invitation"),
    "policy": ("{actor} changed the rules: {policy}", "{actor} a changé les règles : {policy}"),
    "named": ("{actor} named the group {text}", "{actor} a nommé le groupe {text}"),
    "topic": ("{actor} set the topic: {text}", "{actor} a changé le sujet : {text}"),
    "profile": ("{actor} changed the description", "{actor} a changé la description"),
    "pinned": ("{actor} pinned a message", "{actor} a épinglé un message"),
    "unpinned": ("{actor} unpinned a message", "{actor} a désépinglé un message"),
    "settings": ("{actor} changed how long messages stay", "{actor} a changé la durée des messages"),
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
    sentence = (NO_TOPIC if event.deed == "topic" and not event.text else SENTENCES[event.deed])[place]
    said = sentence.format(
        actor=message.sender,
        subjects=listed(event.subjects, tongue),
        role=ROLES[event.role][place] if event.role else "",
        policy=policy_in_words(event.policy, tongue),
        text=event.text,
    )
    return said + (HEIR[place].format(heir=event.heir) if event.heir else "")


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
