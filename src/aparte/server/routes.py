"""Every door of the server, in tables: REST routes, gateway frames. A feature adds its rows here."""

from dataclasses import dataclass

from aparte.server.accounts import http as accounts
from aparte.server.authentication import http as authentication
from aparte.server.contacts import http as contacts
from aparte.server.conversations import http as conversations
from aparte.server.conversations import member_http as members
from aparte.server.conversations import room_http as rooms
from aparte.server.devices import http as devices
from aparte.server.drafts import http as drafts
from aparte.server.filters import http as filters
from aparte.server.keys import http as keys
from aparte.server.kit.door import FrameRoute, FrameTable, Route
from aparte.server.linking import http as linking
from aparte.server.messages import frames as message_frames
from aparte.server.messages import http as messages
from aparte.server.moderation import http as moderation
from aparte.server.objects import http as objects
from aparte.server.preferences import http as preferences
from aparte.server.presence import frames as presence_frames
from aparte.server.presence import http as presence
from aparte.server.receipts import frames as receipt_frames
from aparte.server.receipts import http as receipts
from aparte.server.scheduling import http as scheduling
from aparte.server.search import http as search
from aparte.server.sessions import http as sessions
from aparte.server.state import frames as state_frames
from aparte.server.state import http as state
from aparte.wire import frames

ASKED = "/contact-requests/{account}"
CONVERSATION = "/conversations/{conversation}"
OBJECT = CONVERSATION + "/objects/{object}"
MESSAGE = CONVERSATION + "/messages/{message}"


@dataclass(frozen=True)
class Slices:
    """The doors of every slice, built by `app`."""

    accounts: accounts.Doors
    authentication: authentication.Doors
    sessions: sessions.Doors
    devices: devices.Doors
    contacts: contacts.Doors
    keys: keys.Doors
    linking: linking.Doors
    state: state.Doors
    conversations: conversations.Doors
    members: members.Doors
    rooms: rooms.Doors
    preferences: preferences.Doors
    messages: messages.Doors
    filters: filters.Doors
    moderation: moderation.Doors
    scheduling: scheduling.Doors
    search: search.Doors
    drafts: drafts.Doors
    objects: objects.Doors
    receipts: receipts.Doors
    presence: presence.Doors
    message_frames: message_frames.Frames
    receipt_frames: receipt_frames.Frames
    state_frames: state_frames.Frames
    presence_frames: presence_frames.Frames


def rest(s: Slices) -> list[Route]:
    """Every REST route below `/api/v1`."""
    return [
        *_people(s),
        *_keys(s),
        *_linking(s),
        *_rooms(s),
        *_conversations(s),
        *_members(s),
        *_groups(s),
        *_messages(s),
        *_moderation(s),
        *_ahead(s),
        *_objects(s),
        *_search(s),
    ]


def _people(s: Slices) -> list[Route]:
    door, session, device, contact = s.authentication, s.sessions, s.devices, s.contacts
    taken = "username_taken email_taken phone_taken account_exists device_exists"
    closed = "account_locked account_closed too_many_devices"
    bad_keys = "bad_list bad_prekeys"
    guess = "bad_credentials account_locked forbidden"
    again = "unauthenticated refresh_reused account_closed"
    admission = "bad_credentials account_locked account_closed too_many_devices device_exists"
    return [
        Route("POST", "/accounts", door.register, f"{taken} {closed} {bad_keys}", 201, "open", "register"),
        Route("POST", "/setup", door.set_up, f"setup_done bad_credentials {taken} {closed}", 201, "open", "setup"),
        Route("POST", "/sessions", door.log_in, admission, 201, "open", "login"),
        Route("POST", "/sessions/refresh", session.refresh, again, 200, "open", "refresh"),
        Route("GET", "/sessions", session.mine),
        Route("DELETE", "/sessions/current", session.log_out, "", 204, "unlisted", "write"),
        Route("DELETE", "/sessions/{session}", session.revoke, "not_found", 204, limit="write"),
        Route("PUT", "/accounts/me/password", door.change_password, guess, 204, limit="password"),
        Route("GET", "/accounts/me", s.accounts.me),
        Route("PATCH", "/accounts/me", s.accounts.change, limit="write"),
        Route("GET", "/accounts", contact.people, limit="lookup"),
        Route("POST", "/accounts/find", contact.find, "not_found", limit="lookup"),
        Route("GET", "/accounts/{account}", contact.person, "not_found", limit="lookup"),
        Route("GET", "/account/state", s.state.page),
        Route("GET", "/presence", s.presence.look, limit="lookup"),
        Route("PUT", "/presence", s.presence.declare, "", 204, limit="write"),
        Route("GET", "/devices", device.mine),
        Route("PATCH", "/devices/{device}", device.rename, "not_found", limit="write"),
        Route("DELETE", "/devices/{device}", device.revoke, "not_found", 204, limit="write"),
        Route("GET", "/contacts", contact.contacts),
        Route("PUT", "/contacts/{account}", contact.add, "not_found too_many", limit="write"),
        Route("DELETE", "/contacts/{account}", contact.remove, "", 204, limit="write"),
        Route("GET", "/contact-requests", contact.requests),
        Route("POST", ASKED, contact.ask, "not_found blocked forbidden too_soon too_many", 201, limit="write"),
        Route("DELETE", ASKED, contact.withdraw, "over", 204, limit="write"),
        Route("POST", ASKED + "/accept", contact.accept, "not_found over too_many", limit="write"),
        Route("POST", ASKED + "/decline", contact.decline, "not_found over", limit="write"),
        Route("GET", "/blocks", contact.blocks),
        Route("PUT", "/blocks/{account}", contact.block, "not_found too_many", limit="write"),
        Route("DELETE", "/blocks/{account}", contact.unblock, "", 204, limit="write"),
    ]


def _keys(s: Slices) -> list[Route]:
    door = s.keys
    first = "keys_exist bad_list bad_prekeys"
    renewed = "keys_needed bad_prekeys prekey_reused"
    return [
        Route("PUT", "/account/keys", door.put_first, first, 204, "unlisted", "write"),
        Route("POST", "/keys/lists", door.lists, limit="lookup"),
        Route("POST", "/keys/bundles", door.bundles, "not_found", limit="lookup"),
        Route("POST", "/keys/bundles/many", door.bundles_of_many, limit="lookup"),
        Route("PUT", "/keys/prekeys", door.put_prekeys, renewed, limit="write"),
        Route("GET", "/keys/prekeys", door.stock, "keys_needed"),
        Route("POST", "/payloads", door.send, "not_found blocked too_many", 204, limit="write"),
        Route("GET", "/payloads", door.waiting),
        Route("POST", "/payloads/done", door.done, "", 204, limit="write"),
    ]


def _linking(s: Slices) -> list[Route]:
    door = s.linking
    offer = "/link-offers/{offer}"
    guess = "bad_credentials account_locked account_closed forbidden"
    new_list = "keys_needed stale_list bad_list device_too_new"
    over = "not_found offer_gone"
    return [
        Route(
            "POST",
            "/link-offers",
            door.offer,
            "keys_needed bad_prekeys prekey_reused too_many offer_gone",
            201,
            "unlisted",
            "write",
        ),
        Route("GET", "/link-offers/mine", door.mine, over, 200, "unlisted"),
        Route("GET", offer, door.find, over),
        Route("POST", offer + "/answer", door.answer, f"{over} device_too_new {guess}", 204, limit="password"),
        Route("POST", offer + "/admission", door.admit, f"{over} {new_list} too_many_devices", 204, limit="write"),
        Route("DELETE", offer, door.withdraw, "not_found", 204, "unlisted", "write"),
        Route("PUT", "/account/device-list", door.succeed, f"{new_list} {guess}", 204, limit="password"),
    ]


def _rooms(s: Slices) -> list[Route]:
    door = s.rooms
    links, link = CONVERSATION + "/invites", CONVERSATION + "/invites/{invite}"
    inviting = "not_member mode_mismatch forbidden"
    entered = "not_found not_member invite_over banned room_full forbidden mode_mismatch clock"
    changed = "not_member forbidden name_taken mode_mismatch clock"
    return [
        Route("POST", "/conversations", door.create, "name_taken forbidden mode_needed", 201, limit="write"),
        Route("GET", "/conversations", door.mine),
        Route("GET", CONVERSATION, door.get, "not_member"),
        Route("PATCH", CONVERSATION, door.change, changed, limit="write"),
        Route("DELETE", CONVERSATION, door.delete, "not_member forbidden", 204, limit="write"),
        Route("GET", "/directory", door.directory, limit="directory"),
        Route("POST", links, door.create_invite, f"{inviting} archived too_many", 201, limit="write"),
        Route("GET", links, door.invites, inviting),
        Route("DELETE", link, door.close_invite, inviting, 204, limit="write"),
        Route("GET", "/invites/{token}", door.invite, "not_found invite_over", limit="lookup"),
        Route("POST", "/invites/{token}/enter", door.enter, entered, limit="write"),
    ]


def _conversations(s: Slices) -> list[Route]:
    door = s.conversations
    return [
        Route(
            "POST",
            "/conversations/direct",
            door.open_direct,
            "bad_conversation_id not_found blocked forbidden keys_needed peer_without_keys",
            201,
            limit="write",
        ),
        Route("GET", CONVERSATION + "/preferences", s.preferences.get, "not_member"),
        Route("PATCH", CONVERSATION + "/preferences", s.preferences.change, "not_member", limit="write"),
        Route(
            "POST",
            CONVERSATION + "/join",
            door.join,
            "not_found banned room_full forbidden mode_mismatch",
            limit="write",
        ),
        Route("POST", CONVERSATION + "/leave", door.leave, "not_member forbidden mode_mismatch", 204, limit="write"),
    ]


def _members(s: Slices) -> list[Route]:
    door = s.members
    all_, one = CONVERSATION + "/members", CONVERSATION + "/members/{account}"
    roles, role, banned = CONVERSATION + "/roles", CONVERSATION + "/roles/{role}", CONVERSATION + "/bans/{account}"
    managed = "not_member forbidden archived"
    below = f"{managed} not_found"
    return [
        Route("GET", all_, door.members, "not_member"),
        Route("PATCH", one, door.change_member, f"{below} last_owner mode_mismatch", 204, limit="write"),
        Route("DELETE", one, door.remove, f"{below} mode_mismatch", 204, limit="write"),
        Route("PUT", one + "/nickname", door.rename, f"{below} mode_mismatch", 204, limit="write"),
        Route("PUT", one + "/silence", door.silence, below, 204, limit="write"),
        Route("DELETE", one + "/silence", door.lift_silence, below, 204, limit="write"),
        Route("GET", CONVERSATION + "/silences", door.silences, managed),
        Route("GET", roles, door.roles, "not_member"),
        Route("POST", roles, door.create_role, f"{managed} too_many", 201, limit="write"),
        Route("PATCH", role, door.change_role, below, limit="write"),
        Route("DELETE", role, door.delete_role, below, 204, limit="write"),
        Route("GET", CONVERSATION + "/bans", door.bans, managed),
        Route("PUT", banned, door.ban, f"{below} mode_mismatch too_many", 204, limit="write"),
        Route("DELETE", banned, door.lift_ban, managed, 204, limit="write"),
    ]


def _groups(s: Slices) -> list[Route]:
    door = s.conversations
    group = "not_member mode_mismatch"
    added = "bad_statement stale_membership keys_needed not_found peer_without_keys blocked banned room_full clock"
    changed = f"{group} {added} forbidden invite_over peer_is_there too_many"
    joined = f"{added} not_member forbidden invite_over"
    invite = "/invites/{token}"
    return [
        Route(
            "POST",
            "/conversations/group",
            door.create_group,
            f"not_member forbidden bad_conversation_id {added}",
            201,
            limit="write",
        ),
        Route("POST", CONVERSATION + "/statements", door.submit, changed, limit="write"),
        Route("GET", CONVERSATION + "/statements", door.statements, group),
        Route("GET", CONVERSATION + "/epoch", door.epoch, f"{group} not_found"),
        Route(
            "PUT",
            CONVERSATION + "/invites/{link}/card",
            door.renew_card,
            f"{group} forbidden not_found",
            204,
            limit="write",
        ),
        Route("GET", invite + "/statements", door.invite_statements, "not_found invite_over", limit="lookup"),
        Route("POST", invite + "/join", door.join_by_link, joined, limit="write"),
    ]


def _messages(s: Slices) -> list[Route]:
    door, receipt = s.messages, s.receipts
    change = "not_member not_found forbidden gone client_id_reused clock mode_mismatch"
    sealing = "blocked stale_epoch chain_broken missing_devices chain_too_old target_mismatch"
    return [
        Route(
            "POST",
            CONVERSATION + "/messages",
            door.send,
            f"{change} archived silenced slow_mode held filtered too_many",
            201,
            limit="send",
        ),
        Route(
            "POST",
            CONVERSATION + "/entries",
            door.seal,
            f"{change} {sealing} archived silenced slow_mode too_many",
            201,
            limit="send",
        ),
        Route(
            "POST",
            CONVERSATION + "/distributions",
            door.distribute,
            "not_member forbidden mode_mismatch stale_epoch missing_devices",
            204,
            limit="write",
        ),
        Route("GET", CONVERSATION + "/messages", door.page, "not_member not_found mode_mismatch"),
        Route("GET", CONVERSATION + "/entries", door.entries, "not_member resync"),
        Route("GET", MESSAGE, door.get, "not_member not_found mode_mismatch"),
        Route("PATCH", MESSAGE, door.edit, f"{change} filtered", limit="write"),
        Route("DELETE", MESSAGE, door.delete, change, limit="write"),
        Route("POST", MESSAGE + "/restore", door.restore, change, limit="write"),
        Route("GET", MESSAGE + "/history", door.history, "not_member not_found gone mode_mismatch"),
        Route("POST", MESSAGE + "/reactions", door.react, f"{change} too_many silenced archived", limit="write"),
        Route("GET", MESSAGE + "/reactions", door.reactors, "not_member not_found gone mode_mismatch"),
        Route("POST", MESSAGE + "/pin", door.pin, f"{change} too_many archived", limit="write"),
        Route("GET", CONVERSATION + "/pins", door.pinned, "not_member mode_mismatch"),
        Route("GET", MESSAGE + "/replies", door.replies, "not_member not_found mode_mismatch"),
        Route("GET", CONVERSATION + "/threads", door.threads, "not_member mode_mismatch"),
        Route("PUT", MESSAGE + "/follow", door.follow, "not_member not_found", 204, limit="write"),
        Route("GET", "/mentions", door.mentions),
        Route("GET", MESSAGE + "/receipts", receipt.of_message, "not_member not_found"),
        Route("POST", CONVERSATION + "/read", receipt.read, "not_member not_found", 204, limit="write"),
        Route("POST", CONVERSATION + "/delivered", receipt.delivered, "not_member not_found", 204, limit="write"),
    ]


def _moderation(s: Slices) -> list[Route]:
    door, decision = s.filters, s.moderation
    held, one = CONVERSATION + "/held", CONVERSATION + "/held/{held}"
    managed = "not_member forbidden archived mode_mismatch"
    below = "not_member not_found mode_mismatch forbidden"
    return [
        Route("GET", "/words", door.server_words, "forbidden"),
        Route("PUT", "/words", door.put_server_words, "forbidden", limit="write"),
        Route("GET", CONVERSATION + "/words", door.words, managed),
        Route("PUT", CONVERSATION + "/words", door.put_words, managed, limit="write"),
        Route("GET", held, door.held, "not_member mode_mismatch"),
        Route("DELETE", one, door.withdraw, "not_member not_found over", 204, limit="write"),
        Route("POST", one + "/decision", decision.decide, f"{managed} not_found over", limit="write"),
        Route("PUT", MESSAGE + "/flag", decision.flag, f"{below} gone", 204, limit="write"),
        Route("DELETE", MESSAGE + "/flag", decision.unflag, below, 204, limit="write"),
        Route("GET", CONVERSATION + "/flags", decision.flagged, managed),
    ]


def _ahead(s: Slices) -> list[Route]:
    door, draft = s.scheduling, s.drafts
    scheduled = CONVERSATION + "/scheduled"
    sealed = "stale_epoch missing_devices chain_too_old mode_mismatch"
    refused = f"not_member forbidden silenced archived {sealed}"
    return [
        Route("POST", scheduled, door.add, f"{refused} too_many client_id_reused", 201, limit="write"),
        Route("GET", scheduled, door.mine, "not_member"),
        Route("PATCH", scheduled + "/{scheduled}", door.change, f"{refused} not_found over", limit="write"),
        Route("DELETE", scheduled + "/{scheduled}", door.cancel, "not_member not_found over", 204, limit="write"),
        Route("PUT", CONVERSATION + "/draft", draft.put, "not_member forbidden", 204, limit="write"),
        Route("DELETE", CONVERSATION + "/draft", draft.remove, "not_member", 204, limit="write"),
    ]


def _objects(s: Slices) -> list[Route]:
    door = s.objects
    refused = "not_member forbidden mode_mismatch object_exists too_many"
    return [
        Route("PUT", OBJECT, door.put, refused, 204, limit="object"),
        Route("GET", OBJECT, door.get, "not_member not_found"),
    ]


def _search(s: Slices) -> list[Route]:
    return [
        Route("GET", "/search/messages", s.search.messages, "not_member mode_mismatch unavailable", limit="search"),
        Route("GET", "/search/people", s.search.people, "unavailable", limit="search"),
        Route("GET", "/search/rooms", s.search.rooms, "unavailable", limit="search"),
    ]


def gateway(s: Slices) -> FrameTable:
    """Every frame that a device may send."""
    return {
        frames.Send: FrameRoute(s.message_frames.send, "send"),
        frames.Seal: FrameRoute(s.message_frames.seal, "send"),
        frames.Edit: FrameRoute(s.message_frames.edit, "write"),
        frames.Delete: FrameRoute(s.message_frames.delete, "write"),
        frames.Restore: FrameRoute(s.message_frames.restore, "write"),
        frames.SetReaction: FrameRoute(s.message_frames.react, "write"),
        frames.SetPin: FrameRoute(s.message_frames.pin, "write"),
        frames.Entries: FrameRoute(s.message_frames.entries),
        frames.Changes: FrameRoute(s.message_frames.changes),
        frames.State: FrameRoute(s.state_frames.state),
        frames.Ack: FrameRoute(s.receipt_frames.ack),
        frames.Read: FrameRoute(s.receipt_frames.read),
        frames.Watch: FrameRoute(s.presence_frames.watch),
        frames.Typing: FrameRoute(s.presence_frames.typing),
    }
