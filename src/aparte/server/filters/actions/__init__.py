"""What the world and other slices may ask of word lists and of messages that wait, by verb."""

from aparte.server.filters.actions.deciding import decide, settle, unsent, withdraw
from aparte.server.filters.actions.held import forget_over, held
from aparte.server.filters.actions.lists import put_server_words, put_words, server_words, words
from aparte.server.filters.actions.screening import check_edit, screen

__all__ = [
    "check_edit",
    "decide",
    "forget_over",
    "held",
    "put_server_words",
    "put_words",
    "screen",
    "server_words",
    "settle",
    "unsent",
    "withdraw",
    "words",
]
