# ruff: noqa: ARG002 - a rule names all that it could go by
"""The server lies while a device is linked: the account key reaches no other device, and no false one takes it in."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from aparte.client.errors import ClientError
from aparte.wire.ids import DeviceId
from tests.support.malice import Malice, Rule
from tests.support.talk import Company


class Altered(Rule):
    """Changes one field of what the server tells of an offer."""

    def __init__(self, field: str, change: Callable[[bytes], bytes]) -> None:
        """Change it wherever it comes."""
        self.field, self.change = field, change

    def answer(self, asker: DeviceId, path: str, answer: Any) -> Any:
        """Change it."""
        if "/link-offers" not in path or not isinstance(answer, dict) or not answer.get(self.field):
            return answer
        self.done += 1
        data = self.change(base64.b64decode(answer[self.field]))
        return {**answer, self.field: base64.b64encode(data).decode()}


def flipped(at: int) -> Callable[[bytes], bytes]:
    """Change one bit."""
    return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at:][1:]


LIES: dict[str, tuple[Altered, set[str]]] = {
    "another identity in the offer": (Altered("offer", flipped(5)), {"bad_offer"}),
    "another device in the offer": (Altered("offer", flipped(40)), {"bad_offer"}),
    "another post-quantum key in the offer": (Altered("offer", flipped(-1)), {"bad_offer"}),
    "another key in the answer": (Altered("answer", flipped(3)), {"link_code_wrong", "bad_offer"}),
    "another ciphertext in the answer": (Altered("answer", flipped(100)), {"link_code_wrong", "bad_offer"}),
    "another account in the answer": (Altered("answer", flipped(1_125)), {"key_mismatch", "bad_offer"}),
    "another account key in the answer": (Altered("answer", flipped(-1)), {"link_code_wrong", "bad_offer"}),
    "another container": (Altered("container", flipped(-1)), {"bad_offer"}),
    "a container cut short": (Altered("container", lambda data: data[:-20]), {"bad_offer"}),
    "no container to speak of": (Altered("container", lambda _: b"\0"), {"bad_offer"}),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_while_linking_ends_the_linking(evil: Malice, people: Company, lie: str) -> None:
    rule, codes = LIES[lie]
    alice = await people.newcomer("alice")
    with evil.doing(rule), pytest.raises(ClientError) as refused:
        await people.link(alice)
    assert refused.value.code in codes
    phone = await people.link(alice)
    left_over = await alice.client.keys.listed() - {alice.device, phone.device}
    assert len(left_over) == (rule.field == "container"), "admitted, but it has never got what was for it"


async def test_without_a_lie_it_is_linked(people: Company) -> None:
    alice = await people.newcomer("alice")
    phone = await people.link(alice)
    assert await alice.client.keys.listed() == {alice.device, phone.device}
    assert not alice.told()
    assert not phone.told()
