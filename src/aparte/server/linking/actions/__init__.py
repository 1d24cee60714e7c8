"""What the world may ask of linking, by verb."""

from aparte.server.linking.actions.admission import admit
from aparte.server.linking.actions.offers import answer, find, forget_old, mine, offer, withdraw
from aparte.server.linking.actions.removal import succeed

__all__ = ["admit", "answer", "find", "forget_old", "mine", "offer", "succeed", "withdraw"]
