"""What is kept of a text that somebody else wrote: made sound, masked, then cut."""

from __future__ import annotations

from collections.abc import Callable

#: A secret that begins in what is kept is found if it is no longer than this. A mask is not given
#: more than is needed for that: some patterns take the square of a text's length.
BEYOND_CHARS = 4_096


def sound(text: str) -> str:
    """Replace halves of surrogate pairs, which no UTF-8 has: it can be shown and sent on."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def storable(text: str) -> str:
    """Replace what no database takes: NUL and halves of surrogate pairs."""
    return sound(text.replace("\0", "\N{REPLACEMENT CHARACTER}"))


def kept(text: str, most_chars: int, mask: Callable[[str], str] | None = None) -> str:
    """Give the masked text, at most `most_chars` characters of it and "…" where it was cut.

    It is masked before it is cut: half a secret might not be known as one.
    """
    if mask is not None:
        seen = text[: most_chars + BEYOND_CHARS]
        masked = mask(seen)
        if len(seen) < len(text):
            # What begins in the last part may be half a secret.
            return masked[: max(0, len(masked) - BEYOND_CHARS)][:most_chars] + "…"
        text = masked
    return text if len(text) <= most_chars else text[:most_chars] + "…"
