"""Writes `saved_states_v1.json`: what a device of version 1 had kept, and messages that it must still read.

Written once and never again: `python -m tests.e2ee.saved_states`. When the state changes its version, a new file
comes beside the old one, and every version has to read both.
"""

import json
from pathlib import Path

from tests.e2ee.people import Person

FILE = Path(__file__).parent / "saved_states_v1.json"


def make() -> dict[str, str | int]:
    """Alice and Bob in the middle of everything: an archived session, late messages, a pending one, a group."""
    alice, bob = Person.create(1), Person.create(2)
    alice.set_up(bob, one_time=True)
    bob.decrypt(alice, alice.encrypt(bob, b"hello"))
    for _ in range(60):
        late = alice.encrypt(bob, b"late")
        alice.decrypt(bob, bob.encrypt(alice, b"how are you?"))
        bob.decrypt(alice, alice.encrypt(bob, b"fine"))
    archived = alice.encrypt(bob, b"in the old session")
    alice.set_up(bob)
    bob.decrypt(alice, alice.encrypt(bob, b"in a new session"))
    next_one = alice.encrypt(bob, b"next")
    alice.start_chain()
    bob.process(alice, alice.distribute())
    late_group = alice.encrypt_group(b"late to all")
    bob.decrypt_group(alice, alice.encrypt_group(b"to all"))
    assert alice.chain is not None
    return {
        "bob_session": bob.records[alice.address].serialize().hex(),
        "bob_prekeys": bob.prekeys.serialize().hex(),
        "bob_sender_key": bob.sender_keys[alice.address].serialize().hex(),
        "alice_session": alice.records[bob.address].serialize().hex(),
        "alice_chain": alice.chain.serialize().hex(),
        "late": late[1].hex(),
        "archived": archived[1].hex(),
        "next": next_one[1].hex(),
        "late_group": late_group.hex(),
    }


if __name__ == "__main__":
    with FILE.open("x") as file:
        json.dump(make(), file, indent=1)
        file.write("\n")
