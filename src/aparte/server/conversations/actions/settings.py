"""What a conversation says of itself and how it is run, changed by who may."""

from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.conversations import profiles, rules, settings
from aparte.server.conversations.actions import rights
from aparte.server.conversations.actions.access import authorise, seen
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Tx
from aparte.server.log import actions as log
from aparte.server.log.model import NewEntry
from aparte.wire import kinds
from aparte.wire.content import ConversationSettings, Profile
from aparte.wire.conversations import Conversation, ConversationChange
from aparte.wire.ids import ConversationId


async def change(
    db: Database, caller: Caller, conversation: ConversationId, wanted: ConversationChange
) -> Conversation:
    """Change profile and settings; members see each as an entry of its own. Nothing changed, nothing written.

    Refuses with `not_member`, `forbidden`, `name_taken`, `mode_mismatch`, `invalid`.
    """
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        now = await seen(tx, caller.account, conversation)
        settings.check_change(now.kind, now.encryption_mode, wanted)
        await authorise(tx, caller, conversation, "edit_profile")
        profile, terms = settings.profile_of(now), settings.settings_of(now)
        new_profile = settings.profile_after(profile, wanted) if now.encryption_mode == "server" else profile
        new_terms = settings.settings_after(terms, wanted)
        if new_profile != profile:
            await _describe(tx, caller, conversation, new_profile)
        if new_terms != terms:
            await _regulate(tx, caller, now, new_terms)
        return await seen(tx, caller.account, conversation)


async def _describe(tx: Tx, caller: Caller, conversation: ConversationId, profile: Profile) -> None:
    await profiles.update_profile(tx, conversation, profile, rules.name_key(profile.name))
    await log.append(tx, NewEntry(conversation, kinds.PROFILE, caller.account, profile, caller.device))


async def _regulate(tx: Tx, caller: Caller, now: Conversation, terms: ConversationSettings) -> None:
    """Write settings, their copies beside the log, their entry, and in the audit trail which of them are others."""
    await profiles.update_settings(tx, now.id, terms)
    await log.set_terms(tx, now.id, settings.terms_of(now.encryption_mode, terms))
    if now.settings.metadata.get("allow_bots") != terms.metadata.get("allow_bots"):
        await rights.renew(tx, now.id)
    await log.append(tx, NewEntry(now.id, kinds.SETTINGS, caller.account, terms, caller.device))
    named = settings.different(settings.settings_of(now), terms)
    event = Event("settings_changed", caller.account, caller.session, now.id, details={"fields": named})
    await audit.record(tx, event)
