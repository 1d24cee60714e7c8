"""The vectors of records, from fixed seeds; `layer_vectors.py` writes them."""

from typing import Any

from tests.e2ee.people import seeded

from aparte.e2ee import container, record
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.padding import pad
from aparte.e2ee.record import DRAFT, PURPOSE, Draft

PRIVATE = KeyPair.generate(seeded(90)).private
CONVERSATION, OTHER, SALT = b"\xc0" * 16, b"\xc1" * 16, b"\x33" * 32


def records() -> dict[str, Any]:
    drafts = [Draft(at=0, text="x"), Draft(at=1_800_000_000_000, text="Grüß dich 👋\n"), Draft(at=5, text="y" * 4_000)]
    return {
        "account_private": PRIVATE.hex(),
        "key": record.record_key(PRIVATE).hex(),
        "salt": SALT.hex(),
        "conversation": CONVERSATION.hex(),
        "drafts": [
            {
                "at": draft.at,
                "text": draft.text,
                "container": record.seal_draft(PRIVATE, CONVERSATION, draft, lambda _: SALT).hex(),
            }
            for draft in drafts
        ],
        "refused_drafts": [{"why": why, "container": data.hex()} for why, data in _refused(drafts[0])],
    }


def _refused(draft: Draft) -> list[tuple[str, bytes]]:
    key, name = record.record_key(PRIVATE), PURPOSE + DRAFT + CONVERSATION
    good = record.seal_draft(PRIVATE, CONVERSATION, draft, lambda _: SALT)
    data = bytes.fromhex("83a17601a2617400a474657874a178")
    return [
        ("of another conversation", record.seal_draft(PRIVATE, OTHER, draft, lambda _: SALT)),
        ("under another key", record.seal_draft(bytes(32), CONVERSATION, draft, lambda _: SALT)),
        ("of another purpose", container.seal(key, b"draft\0" + CONVERSATION, pad(data), lambda _: SALT)),
        ("not padded", container.seal(key, name, data, lambda _: SALT)),
        ("no text", container.seal(key, name, pad(bytes.fromhex("82a17601a2617400")), lambda _: SALT)),
        ("cut off", good[:-1]),
        ("a bit is another", good[:-1] + bytes([good[-1] ^ 1])),
    ]
