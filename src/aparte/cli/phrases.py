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
}


def phrase(name: Phrase) -> str:
    """Say it in the language of the environment."""
    return PHRASES[name][language_of(os.environ) == "fr"]
