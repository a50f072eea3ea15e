"""Texts that clients of the service wrote, such as categories, made harmless where people read them."""

import unicodedata

_MAX_LENGTH = 60
# Characters that make links, mentions or markup in some channel, by their full-width forms, which do so in none.
_INERT = {ord(character): ord(character) + 0xFEE0 for character in "<>&@[]*`~|\\"}


def printable(value: object, max_length: int = _MAX_LENGTH) -> str:
    """A value as text in one line without control characters, cut to a length."""
    text = str(value)
    if len(text) > max_length:
        text = f"{text[: max_length - 1]}…"
    return "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)


def without_markup(text: str) -> str:
    """A text for a channel of alerts, whatever markup that channel knows: no links, no mentions."""
    return text.translate(_INERT).replace("://", ":／/")  # noqa: RUF001  # a full-width slash is meant
