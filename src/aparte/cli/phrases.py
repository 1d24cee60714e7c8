"""What the command line itself says, in French and English. Errors are worded by the SDK's catalogue."""

import os
from typing import Literal

from aparte.client import language_of

Phrase = Literal[
    "deleted",
    "too_old",
    "edited",
    "password",
    "passphrase",
    "password_needed",
    "signed_in",
    "signed_out",
    "sent",
    "waiting_for_listener",
    "sending",
    "catching_up",
    "this_device",
    "nothing_to_send",
    "too_long",
    "link_how",
    "code",
    "linked",
    "applicant",
    "approve_question",
    "approve_warning",
    "approved",
    "not_approved",
    "yes_needed",
    "revoked",
    "not_listed",
    "verified",
    "not_verified",
    "key_has_changed",
    "now_verified",
    "unverified",
    "pinned",
    "passed_by",
    "answers",
    "by",
    "made_elsewhere",
    "added",
    "removed",
    "banned",
    "unbanned",
    "role_given",
    "invite_closed",
    "reaching",
    "you",
    "name_comes",
    "link_says",
]

PHRASES: dict[Phrase, tuple[str, str]] = {
    # English, French
    "deleted": ("(deleted)", "(supprimé)"),
    "too_old": ("(this needs a newer Aparté)", "(il faut un Aparté plus récent)"),
    "edited": ("edited", "modifié"),
    "password": ("Password", "Mot de passe"),
    "passphrase": ("Passphrase of the profile", "Phrase secrète du profil"),
    "password_needed": (
        "Give the password on standard input with --password-stdin.",
        "Donnez le mot de passe sur l'entrée standard avec --password-stdin.",
    ),
    "signed_in": ("Signed in as", "Connecté en tant que"),
    "signed_out": ("Signed out.", "Déconnecté."),
    "sent": ("sent", "envoyé"),
    "waiting_for_listener": (
        "Another `listen` of this profile is running; waiting for its end.",
        "Un autre `listen` de ce profil est en cours ; en attente de sa fin.",
    ),
    "sending": ("Sending", "Envoi"),
    "catching_up": ("Catching up", "Rattrapage"),
    "this_device": ("this device", "cet appareil"),
    "nothing_to_send": ("There is nothing to send.", "Il n'y a rien à envoyer."),
    "too_long": ("The input is too long.", "L'entrée est trop longue."),
    "link_how": (
        "On a device that is signed in, within two minutes: aparte devices approve, followed by this line.",
        "Sur un appareil déjà connecté, dans les deux minutes : aparte devices approve, suivi de cette ligne.",
    ),
    "code": ("Code that the new device shows", "Code affiché par le nouvel appareil"),
    "linked": ("This device is linked to the account of", "Cet appareil est lié au compte de"),
    "applicant": ("A device asks to be linked", "Un appareil demande à être lié"),
    "approve_question": ("Is this your own device, in your hands?", "Est-ce votre propre appareil, entre vos mains ?"),
    "approve_warning": (
        "It will read and write in your name. Nobody from support ever asks for this.",
        "Il lira et écrira en votre nom. Aucune assistance ne demande jamais cela.",
    ),
    "approved": ("The device is linked.", "L'appareil est lié."),
    "not_approved": ("Nothing was done.", "Rien n'a été fait."),
    "yes_needed": (
        "There is nobody to ask here; add --yes.",
        "Il n'y a personne à qui poser la question ici ; ajoutez --yes.",
    ),
    "revoked": ("The device is off the account.", "L'appareil est retiré du compte."),
    "not_listed": ("not linked", "non lié"),
    "verified": ("verified", "vérifié"),
    "not_verified": (
        "not verified: compare these digits with the other person, then add --yes",
        "non vérifié : comparez ces chiffres avec l'autre personne, puis ajoutez --yes",
    ),
    "key_has_changed": (
        "the key has changed since you verified it: compare again, then add --yes",
        "la clé a changé depuis votre vérification : comparez à nouveau, puis ajoutez --yes",
    ),
    "now_verified": ("Verified.", "Vérifié."),
    "unverified": ("unverified", "non vérifié"),
    "pinned": ("pinned", "épinglé"),
    "passed_by": ("passed on by", "transmis par"),
    "answers": ("to", "à"),
    "by": ("by", "par"),
    "made_elsewhere": ("made on another device", "créé sur un autre appareil"),
    "added": ("Added.", "Ajouté."),
    "removed": ("Removed.", "Retiré."),
    "banned": ("Removed and banned.", "Retiré et banni."),
    "unbanned": ("No longer banned.", "N'est plus banni."),
    "role_given": ("Done.", "C'est fait."),
    "invite_closed": ("The link is closed.", "Le lien est fermé."),
    "you": ("you", "vous"),
    "name_comes": (
        "Its name comes as soon as a member's device is there to tell it.",
        "Son nom arrivera dès que l'appareil d'un membre sera là pour le dire.",
    ),
    "link_says": ("as the link says", "d'après le lien"),
    "reaching": ("Reaching devices", "Appareils atteints"),
}


def phrase(name: Phrase) -> str:
    """Say it in the language of the environment."""
    return PHRASES[name][language_of(os.environ) == "fr"]
