"""Texts of strangers, made harmless for a chat, a mail and a log.

Belongs here: what a reader's program would take for an instruction: control characters, characters that
turn the direction of writing, mentions that call a whole channel, links in disguise. Does not belong
here: secrets (``redaction``), what is said (``messages``).

A file's name is chosen by whoever may drop files. What is put between the characters is invisible and
has no width, so a name still reads as it is written.
"""

from __future__ import annotations

import re
import unicodedata

# U+2060: nothing is seen, and no program takes what stands on both sides of it together.
_BETWEEN = "\u2060"
# @everyone, @here, @room; <!channel>, <@U123>, <#C1|x>, <https://…|text>, <b>; [text](link).
_CALLS = re.compile(
    r"@(?=everyone|here|channel|room|all\b)|(?<![\w.+-])@(?=\w)|<(?=[!@#&:/\w])|\](?=\()", re.IGNORECASE
)
# They join letters and pictures, in names that people really have.
_JOINERS = "\u200c\u200d"
# Controls, characters without width or of direction, line ends that are none, lone surrogates.
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"})


def neutral(text: str) -> str:
    """``text`` on one line, in which nothing is an instruction: what cannot be seen is written out."""
    if not text.isascii() or not text.isprintable():
        text = "".join(character if _seen(character) else _written(character) for character in text)
    return _CALLS.sub(lambda call: call[0] + _BETWEEN, text)


def _seen(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in _UNSEEN


def _written(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()
