"""What an error means, in French and English: one sentence for each code, for whatever shows errors to people."""

from collections.abc import Mapping
from typing import Literal

from aparte.client.errors import ClientError

Tongue = Literal["fr", "en"]

ERRORS: dict[str, tuple[str, str]] = {
    # English, French
    "malformed": ("The server did not understand the request.", "Le serveur n'a pas compris la demande."),
    "invalid": ("Something in the request is not valid.", "Quelque chose dans la demande n'est pas valable."),
    "too_large": ("This is too large.", "C'est trop volumineux."),
    "unsupported_media_type": ("The server does not take this format.", "Le serveur n'accepte pas ce format."),
    "not_acceptable": ("The server cannot answer in this format.", "Le serveur ne peut pas répondre dans ce format."),
    "not_found": ("There is nothing here that you may see.", "Il n'y a rien ici que vous puissiez voir."),
    "method_not_allowed": ("The server does not do this here.", "Le serveur ne fait pas cela ici."),
    "unauthenticated": ("You are not signed in.", "Vous n'êtes pas connecté."),
    "bad_credentials": ("The name or the password is wrong.", "Le nom ou le mot de passe est faux."),
    "refresh_reused": (
        "The session was closed for safety; log in again.",
        "La session a été fermée par sécurité ; reconnectez-vous.",
    ),
    "account_locked": (
        "Too many failed logins; wait before trying again.",
        "Trop d'échecs de connexion ; patientez avant de réessayer.",
    ),
    "account_closed": ("This account is closed or suspended.", "Ce compte est fermé ou suspendu."),
    "forbidden_origin": (
        "The server does not take requests from here.",
        "Le serveur n'accepte pas de demandes venant d'ici.",
    ),
    "forbidden": ("Your role does not allow this.", "Votre rôle ne le permet pas."),
    "not_member": ("You are not in this conversation.", "Vous n'êtes pas dans cette conversation."),
    "blocked": ("This person does not take messages from you.", "Cette personne n'accepte pas vos messages."),
    "username_taken": ("This user name is in use.", "Ce nom d'utilisateur est déjà pris."),
    "email_taken": ("This e-mail address is in use.", "Cette adresse électronique est déjà utilisée."),
    "phone_taken": ("This phone number is in use.", "Ce numéro de téléphone est déjà utilisé."),
    "account_exists": ("This account exists already.", "Ce compte existe déjà."),
    "device_exists": ("This device belongs to somebody else.", "Cet appareil appartient à quelqu'un d'autre."),
    "too_many_devices": (
        "Your account has as many devices as it may; remove one first.",
        "Votre compte a atteint son nombre d'appareils ; retirez-en un d'abord.",
    ),
    "too_many": ("There are as many of these as there may be.", "Il y en a déjà autant qu'il peut y en avoir."),
    "name_taken": ("A public room of this name exists.", "Un salon public porte déjà ce nom."),
    "room_full": ("There is no room for more people here.", "Il n'y a plus de place ici."),
    "client_id_reused": (
        "This was already used for another message.",
        "Cela a déjà servi pour un autre message.",
    ),
    "object_exists": (
        "The server has other bytes under this object's id.",
        "Le serveur a d'autres octets sous l'identifiant de cet objet.",
    ),
    "last_owner": ("A room or group needs an owner.", "Un salon ou un groupe doit avoir un propriétaire."),
    "gone": ("This was deleted for good.", "Cela a été supprimé définitivement."),
    "setup_done": ("There is an administrator already.", "Il y a déjà un administrateur."),
    "rate_limited": ("Too fast; wait before trying again.", "Trop vite ; patientez avant de réessayer."),
    "unavailable": (
        "The server cannot do this at the moment; try again later.",
        "Le serveur ne peut pas le faire pour le moment ; réessayez plus tard.",
    ),
    "too_slow": (
        "The line is too slow for this; try again.",
        "La ligne est trop lente pour cela ; réessayez.",
    ),
    "storage_full": ("The server has no room left.", "Le serveur n'a plus de place."),
    "clock": ("The server's clock is wrong.", "L'horloge du serveur est fausse."),
    "internal": ("Something is broken on the server.", "Quelque chose est cassé sur le serveur."),
    "hello_expected": ("The server did not recognise this program.", "Le serveur n'a pas reconnu ce programme."),
    "protocol": (
        "The server speaks another version; update Aparté.",
        "Le serveur parle une autre version ; mettez Aparté à jour.",
    ),
    "unknown_frame": ("The server does not know this request.", "Le serveur ne connaît pas cette demande."),
    "resync": (
        "The oldest messages are gone; the rest is fetched again.",
        "Les plus anciens messages ont disparu ; le reste est repris.",
    ),
    "not_signed_in": ("You are not signed in; log in first.", "Vous n'êtes pas connecté ; connectez-vous d'abord."),
    "time_over": ("The time for this is over.", "Le temps imparti est écoulé."),
    "unreachable": ("The server cannot be reached.", "Le serveur est injoignable."),
    "unexpected_answer": ("The server's answer makes no sense.", "La réponse du serveur n'a pas de sens."),
    "no_profile": (
        "There is no such profile; register or log in first.",
        "Ce profil n'existe pas ; inscrivez-vous ou connectez-vous d'abord.",
    ),
    "bad_profile_name": (
        "A profile's name has letters, digits, dots, hyphens and underscores.",
        "Le nom d'un profil se compose de lettres, chiffres, points, tirets et soulignés.",
    ),
    "profile_in_use": (
        "This profile belongs to another account; choose another with --profile.",
        "Ce profil appartient à un autre compte ; choisissez-en un autre avec --profile.",
    ),
    "passphrase_needed": (
        "This profile is locked; give its passphrase in APARTE_PASSPHRASE.",
        "Ce profil est verrouillé ; donnez sa phrase secrète dans APARTE_PASSPHRASE.",
    ),
    "wrong_passphrase": ("This passphrase does not open the profile.", "Cette phrase secrète n'ouvre pas le profil."),
    "store_too_new": (
        "This profile was written by a newer Aparté; update this one.",
        "Ce profil a été écrit par un Aparté plus récent ; mettez celui-ci à jour.",
    ),
    "bad_target": (
        "A target is '#room' (with quotes in most shells), @user, or @me for your own notes; +name is a group.",
        "Une destination s'écrit '#salon' (souvent entre apostrophes), @nom, @me pour vos notes, +nom pour un groupe.",
    ),
    "no_such_room": ("There is no room of this name.", "Aucun salon ne porte ce nom."),
    "no_such_group": (
        "None of your groups has this name here; 'aparte groups' lists them.",
        "Aucun de vos groupes ne porte ce nom ici ; « aparte groups » les énumère.",
    ),
    "ambiguous_group": (
        "Several of your groups have this name; give the id instead.",
        "Plusieurs de vos groupes portent ce nom ; donnez l'identifiant à la place.",
    ),
    "no_such_member": ("There is nobody of this name.", "Personne ne porte ce nom."),
    "bad_message_id": ("This is not the id of a message.", "Ceci n'est pas l'identifiant d'un message."),
    "already_listening": ("This program is listening already.", "Ce programme écoute déjà."),
    "key_refused": (
        "A key check failed; nothing was sent.",
        "Une vérification de clé a échoué ; rien n'a été envoyé.",
    ),
    "link_needed": (
        "This device is not on the account's list; link it from one that is, with 'aparte link'.",
        "Cet appareil n'est pas sur la liste du compte ; liez-le depuis un appareil qui y est, avec « aparte link ».",
    ),
    "keys_needed": (
        "This profile has no keys yet; log in again.",
        "Ce profil n'a pas encore de clés ; reconnectez-vous.",
    ),
    "peer_without_keys": (
        "This person has no keys yet and cannot be written to privately.",
        "Cette personne n'a pas encore de clés ; on ne peut pas lui écrire en privé.",
    ),
    "keys_exist": ("This account has its keys already.", "Ce compte a déjà ses clés."),
    "bad_list": (
        "A device list is not properly signed, or does not follow from the one before.",
        "Une liste d'appareils est mal signée, ou ne suit pas la précédente.",
    ),
    "stale_list": (
        "The device list has changed meanwhile; try again.",
        "La liste d'appareils a changé entre-temps ; réessayez.",
    ),
    "device_too_new": (
        "A device linked less than 24 hours ago may not change devices.",
        "Un appareil lié depuis moins de 24 heures ne peut pas modifier les appareils.",
    ),
    "bad_prekeys": ("The server refuses this device's prekeys.", "Le serveur refuse les préclés de cet appareil."),
    "prekey_reused": (
        "A prekey of this device stands for another key at the server.",
        "Une préclé de cet appareil désigne une autre clé sur le serveur.",
    ),
    "offer_gone": (
        "This offer is over, answered already, or was never made; begin anew on the new device.",
        "Cette demande est expirée, a déjà reçu une réponse ou n'a jamais existé ; recommencez sur le nouvel appareil.",
    ),
    "mode_mismatch": (
        "This conversation is encrypted differently.",
        "Cette conversation est chiffrée autrement.",
    ),
    "bad_conversation_id": (
        "This is not the conversation of these people.",
        "Ce n'est pas la conversation de ces personnes.",
    ),
    "stale_epoch": (
        "Members or devices have changed meanwhile; try again.",
        "Les membres ou les appareils ont changé entre-temps ; réessayez.",
    ),
    "chain_broken": (
        "The server does not see this as the next message of this device.",
        "Le serveur n'y voit pas le message suivant de cet appareil.",
    ),
    "target_mismatch": (
        "The server does not have the message that this is about as it is known here.",
        "Le serveur n'a pas le message concerné tel qu'il est connu ici.",
    ),
    "removed": (
        "The server has a message no more, though nobody who may has deleted it.",
        "Le serveur n'a plus un message, alors que personne d'habilité ne l'a supprimé.",
    ),
    "missing_devices": (
        "The message is not sealed for all devices that should read it.",
        "Le message n'est pas scellé pour tous les appareils qui doivent le lire.",
    ),
    "list_rolled_back": (
        "The server served an older device list than the one known here; nothing was sent.",
        "Le serveur a donné une liste d'appareils plus ancienne que celle connue ici ; rien n'a été envoyé.",
    ),
    "list_forked": (
        "The server served another device list than the one known here; nothing was sent.",
        "Le serveur a donné une autre liste d'appareils que celle connue ici ; rien n'a été envoyé.",
    ),
    "device_not_listed": (
        "A device or its key is not on its account's list.",
        "Un appareil ou sa clé ne figure pas sur la liste de son compte.",
    ),
    "key_changed": (
        "The key of this verified person has changed; compare numbers again with 'aparte verify'. Nothing was sent.",
        "La clé de cette personne vérifiée a changé ; comparez à nouveau avec « aparte verify ». Rien n'a été envoyé.",
    ),
    "key_mismatch": ("This is not the key that was expected.", "Ce n'est pas la clé attendue."),
    "state_rolled_back": (
        "This profile is an old copy of itself and has stopped; link this device anew.",
        "Ce profil est une ancienne copie de lui-même et s'est arrêté ; liez cet appareil à nouveau.",
    ),
    "revoked": (
        "This device was taken off the account and has stopped.",
        "Cet appareil a été retiré du compte et s'est arrêté.",
    ),
    "no_keys": ("This account has no keys yet.", "Ce compte n'a pas encore de clés."),
    "wrong_sender": (
        "A message was refused: it is not by whom it claims to be.",
        "Un message a été refusé : il n'est pas de qui il prétend être.",
    ),
    "bad_entry": (
        "A message was refused: it is damaged or forged.",
        "Un message a été refusé : il est abîmé ou falsifié.",
    ),
    "epoch_back": (
        "A message was refused: it is sealed for earlier devices.",
        "Un message a été refusé : il est scellé pour d'anciens appareils.",
    ),
    "roster_mismatch": (
        "It is not clear who reads here: the signed lists say otherwise. Nothing was sent; 'aparte verify' settles it.",
        "Qui lit ici n'est pas clair : les listes disent autre chose. Rien n'a été envoyé ; voir « aparte verify ».",
    ),
    "replayed": ("A message was refused: it is a repetition.", "Un message a été refusé : c'est une répétition."),
    "entry_forked": (
        "A message was refused: it does not continue those before it.",
        "Un message a été refusé : il ne continue pas les précédents.",
    ),
    "gap": ("A message is missing here.", "Il manque un message ici."),
    "reordered": ("The order of messages here is not certain.", "L'ordre des messages ici n'est pas certain."),
    "not_entitled": (
        "A change was refused: its sender may not make it.",
        "Une modification a été refusée : son auteur n'en a pas le droit.",
    ),
    "needs_newer": ("This needs a newer Aparté.", "Il faut un Aparté plus récent."),
    "before_device": (
        "This was said while this device could not read here.",
        "Ceci a été dit quand cet appareil ne pouvait pas lire ici.",
    ),
    "vanished": (
        "This message had disappeared before this device could read it, the server says.",
        "Ce message avait disparu avant que cet appareil ait pu le lire, d'après le serveur.",
    ),
    "waiting": (
        "The key of this message is not here yet.",
        "La clé de ce message n'est pas encore arrivée.",
    ),
    "passed_on": ("Passed on by another member.", "Transmis par un autre membre."),
    "bad_statement": (
        "A change of the members is wrongly signed, or its author may not make it; it was not taken.",
        "Un changement des membres est mal signé, ou son auteur n'en a pas le droit ; il n'a pas été pris.",
    ),
    "membership_forked": (
        "The server tells two stories of who is in this group; nothing is sent there any more. Make a new group.",
        "Le serveur raconte deux histoires des membres de ce groupe ; plus rien n'y est envoyé. Créez-en un autre.",
    ),
    "stale_membership": (
        "The members have changed meanwhile; try again.",
        "Les membres ont changé entre-temps ; réessayez.",
    ),
    "chain_too_old": (
        "Somebody who could read here is out; try again, under a new key.",
        "Quelqu'un qui pouvait lire ici n'en est plus ; réessayez, sous une nouvelle clé.",
    ),
    "invite_over": (
        "This invite link is closed, used up or expired; ask for another.",
        "Ce lien d'invitation est fermé, épuisé ou expiré ; demandez-en un autre.",
    ),
    "banned": (
        "This person is banned here; lift that first with 'aparte unban'.",
        "Cette personne est bannie d'ici ; levez d'abord le bannissement avec « aparte unban ».",
    ),
    "peer_is_there": (
        "The owner's account is in use, so the owner stays.",
        "Le compte du propriétaire est actif ; il reste donc propriétaire.",
    ),
    "needs_new_group": (
        "Nobody is left who may change this group; make a new one with 'aparte new group'.",
        "Il ne reste personne pour modifier ce groupe ; créez-en un autre avec « aparte new group ».",
    ),
    "bad_invite": (
        "This is not an invite link, or what the server shows for it is not what its maker sealed or signed.",
        "Ce n'est pas un lien d'invitation, ou ce que le serveur montre n'est pas de la main de son auteur.",
    ),
    "bad_offer": (
        "This is not an offer to link, or not the one that the new device shows.",
        "Ce n'est pas une demande de liaison, ou pas celle que montre le nouvel appareil.",
    ),
    "link_code_wrong": (
        "The code is wrong; nothing was given away. Begin anew on the new device.",
        "Le code est faux ; rien n'a été transmis. Recommencez sur le nouvel appareil.",
    ),
    "link_over": (
        "The time for linking is over; begin anew on the new device.",
        "Le temps de la liaison est écoulé ; recommencez sur le nouvel appareil.",
    ),
    "device_added": ("A new device was added to an account.", "Un nouvel appareil a été ajouté à un compte."),
    "device_removed": ("A device was removed from an account.", "Un appareil a été retiré d'un compte."),
    "out_of_group": ("You are no longer in this group.", "Vous n'êtes plus dans ce groupe."),
    "key_reset": (
        "Somebody began anew with another key; compare numbers again.",
        "Quelqu'un est reparti avec une autre clé ; comparez à nouveau les numéros.",
    ),
}

QUEUED = (
    "The server could not take it in time: it waits in the outbox and goes out with the next command.",
    "Le serveur n'a pas pu le prendre à temps : il attend dans la boîte d'envoi et partira avec la prochaine commande.",
)


DETAILED = frozenset(
    {"invalid", "bad_target", "no_such_room", "no_such_group", "ambiguous_group", "no_such_member", "unreachable"}
    | {"peer_without_keys"}
)
"""Codes whose detail is for people too: what they have typed, or whom it is about."""


def language_of(environ: Mapping[str, str]) -> Tongue:
    """Read the language off LC_ALL, LC_MESSAGES or LANG; English if none says French."""
    chosen = environ.get("LC_ALL") or environ.get("LC_MESSAGES") or environ.get("LANG") or ""
    return "fr" if chosen.lower().startswith("fr") else "en"


def describe(error: ClientError, tongue: Tongue = "en") -> str:
    """Say in one sentence what an error means, with the detail where that helps."""
    place = 0 if tongue == "en" else 1
    if error.data.get("queued"):
        return QUEUED[place]
    sentence = ERRORS.get(error.code, ERRORS["unexpected_answer"])[place]
    if error.detail and error.code in DETAILED:
        return f"{sentence.rstrip('.')} ({error.detail})."
    return sentence
