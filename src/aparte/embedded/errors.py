"""Why a start is refused, worded for the person at the terminal."""


class CannotStart(Exception):
    """The start is refused; the message is one sentence that says what to do about it."""
