"""What a conversation says of itself, and how it is run: as it is stored, and as a change leaves it. Pure.

Sources: R-113, R-117, R-123–R-129, C-01 (who chooses the encryption), C-11 (what is public by itself), C-59 (the name
that `metadata` mirrors).
"""

import re
from collections.abc import Mapping
from typing import Any, get_type_hints

import msgspec
from msgspec import UNSET

from aparte.server.conversations.rules import clean_name
from aparte.server.kit.names import check_text
from aparte.server.log.model import ARCHIVED, OPEN, Terms
from aparte.wire import limits
from aparte.wire.codec import to_json
from aparte.wire.content import ConversationKind, ConversationSettings, Mode, Profile
from aparte.wire.conversations import Conversation, ConversationChange, NewConversation
from aparte.wire.errors import Refusal

PICTURE = re.compile(r"https://[^\s/?#@\\]+(?:[/?#][^\s\\]*)?")
"""An address with a host and without a name and password in it."""
MEANING: Mapping[str, type] = {"theme": str, "auto_moderate": bool, "allow_bots": bool}
"""Keys of `metadata` that mean the same everywhere, and what they hold."""
MIRRORED = "name"
"""The key of `metadata` that shows the name: written by nobody, because the name is what is changed."""
OF_PROFILE = tuple(get_type_hints(Profile))
OF_SETTINGS = tuple(get_type_hints(ConversationSettings))
READABLE_ALONE = ("ttl", "language")
"""Settings that an encrypted conversation has sealed, or has no use for: the server searches nothing there."""


def is_public(new: NewConversation) -> bool:
    """Tell whether a new conversation is public. Refuses with `mode_needed`, `invalid`."""
    public = new.kind == "room" if new.is_public is None else new.is_public
    if public and new.encryption_mode == "e2ee":
        raise Refusal("invalid", "who may come in unasked may read: a public conversation is not encrypted")
    if not public and new.encryption_mode is None:
        raise Refusal("mode_needed")
    if new.encryption_mode == "e2ee":
        raise Refusal("invalid", "an encrypted conversation begins with its first statement")
    return public


def clean_profile(said: Profile) -> Profile:
    """Give what a conversation says of itself as it is stored. Refuses with `invalid`."""
    if said.picture is not None and not PICTURE.fullmatch(said.picture):
        raise Refusal("invalid", "a picture is an https address")
    return Profile(
        clean_name(said.name),
        check_text(said.topic, limits.TOPIC, "the topic"),
        check_text(said.description, limits.DESCRIPTION, "the description"),
        check_text(said.welcome, limits.WELCOME, "the welcome"),
        check_text(said.rules, limits.RULES, "the rules"),
        check_text(said.picture, limits.AVATAR_URL, "the picture") if said.picture is not None else None,
    )


def clean_settings(said: ConversationSettings) -> ConversationSettings:
    """Give settings as they are stored. Refuses with `invalid`."""
    return msgspec.structs.replace(said, metadata=clean_metadata(said.metadata))


def clean_metadata(said: Mapping[str, Any]) -> dict[str, Any]:
    """Give free JSON as it is stored: without the name, which has a place of its own and counts as a key."""
    kept = {key: value for key, value in said.items() if key != MIRRORED}
    if len(kept) >= limits.METADATA_KEYS:
        raise Refusal("invalid", f"metadata has more than {limits.METADATA_KEYS - 1} keys beside the name")
    if len(to_json(kept)) > limits.METADATA_BYTES:
        raise Refusal("invalid", f"metadata is larger than {limits.METADATA_BYTES} bytes")
    for key, wanted in MEANING.items():
        if key in kept and not isinstance(kept[key], wanted):
            raise Refusal("invalid", f"metadata.{key} is a {wanted.__name__}")
    return kept


def profile_of(shown: Conversation) -> Profile:
    """Give what a conversation says of itself at present."""
    return Profile(shown.name, shown.topic, shown.description, shown.welcome, shown.rules, shown.picture)


def settings_of(shown: Conversation) -> ConversationSettings:
    """Give how a conversation is run at present, as it is stored."""
    return clean_settings(shown.settings)


def different(old: ConversationSettings, new: ConversationSettings) -> list[str]:
    """Name the settings that are others."""
    return [field for field in OF_SETTINGS if getattr(old, field) != getattr(new, field)]


def check_change(kind: ConversationKind, mode: Mode, wanted: ConversationChange) -> None:
    """Refuse with `mode_mismatch` what the members of an encrypted conversation seal, and `invalid` what is too many.

    In a direct one there is nothing to change: the right to it is nobody's.
    """
    if mode == "server" or kind in {"direct", "self"}:
        return
    if named(wanted, (*OF_PROFILE, *READABLE_ALONE)):
        raise Refusal("mode_mismatch", "what an encrypted conversation says of itself is sealed by its members")
    if wanted.max_members is not UNSET and wanted.max_members > limits.GROUP_MEMBERS:
        raise Refusal("invalid", f"an encrypted conversation has {limits.GROUP_MEMBERS} members at most")


def profile_after(old: Profile, wanted: ConversationChange) -> Profile:
    """Lay a change over a profile; fields left out stay."""
    fields = named(wanted, OF_PROFILE)
    return clean_profile(msgspec.structs.replace(old, **fields)) if fields else old


def settings_after(old: ConversationSettings, wanted: ConversationChange) -> ConversationSettings:
    """Lay a change over settings; fields left out stay."""
    return clean_settings(msgspec.structs.replace(old, **named(wanted, OF_SETTINGS)))


def named(wanted: ConversationChange, fields: tuple[str, ...]) -> dict[str, Any]:
    """Give those of these fields that a change names."""
    return {field: value for field in fields if (value := getattr(wanted, field)) is not UNSET}


def terms_of(mode: Mode, settings: ConversationSettings) -> Terms:
    """Give what of settings decides over a send."""
    return Terms(
        slow_seconds=settings.slow_mode_seconds,
        ttl_seconds=settings.ttl,
        closed=ARCHIVED if settings.is_archived else OPEN,
        is_screened=mode == "server" and settings.metadata.get("auto_moderate") is True,
    )
