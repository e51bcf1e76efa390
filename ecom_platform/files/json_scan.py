"""Flat lines of JSON, many at once: where the values of their keys are in the text.

Belongs here: telling which lines are certainly flat objects as programs write them, and finding keys and
values in all of these together. Does not belong here: what any other line is (``json_values``), or which
key is which column (``json_decoding``).

A line is taken here if it is one object of texts, numbers, true, false and null, has no backslash and no
control character, is UTF-8, and has no blanks but one behind a colon or a comma. Then every quote opens or
closes a text, one after the other; a text that is followed by a colon is a key; what is between a key's
colon and the comma before the next key is its value. Each of these is verified, so what is taken here is
JSON, and every other line is left. Numbers stay the characters that they are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from ecom_platform.feeds import arrow
from ecom_platform.feeds.places import Array, Places
from ecom_platform.files.line_blocks import LineBlock

TEXT, NUMBER, WORD, NULL = range(4)

_QUOTE, _COLON, _COMMA, _BLANK, _OPEN, _CLOSE, _BACKSLASH = map(ord, '":, {}\\')
_MINUS, _POINT, _ZERO, _NINE = map(ord, "-.09")
_NUMBER = r"\A-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\z"
# Keys that nobody asked for are told apart up to so many, since none may stand twice in a line.
_MOST_NAMES = 256
_MOST_KEYS = 4_096
# Names times lines: what is more is left to the reader of single lines.
_MOST_CELLS = 1 << 24
_WORD_BYTES = 8


@dataclass(frozen=True, slots=True)
class FlatLines:
    """``lines``: which lines of a block were taken. For each name that was asked for and each of them:
    ``kinds``, and where the value ``begins`` and ``ends``, quotes included; -1 where the line lacks the
    name."""

    lines: Array
    kinds: Array
    begins: Array
    ends: Array


class FlatScanner:
    """Scans the blocks of a file for lines that have these names. ``others``: whether they may have more.

    ``verified`` are names whose numbers are read by a type that takes nothing but digits, one point between
    them and a minus before: of these only what such a type takes and JSON does not is looked for here.
    """

    def __init__(self, names: Sequence[str], verified: Collection[str], *, others: bool) -> None:
        self._asked = len(names)
        self._verified = np.array([name in verified for name in names], dtype=np.bool_)
        self._names = [name.encode() for name in names]
        self._others = others

    def scan(self, block: LineBlock) -> FlatLines | None:
        """The flat lines of a block; ``None`` where there are none."""
        end = int(block.ends[-1])
        chars = np.frombuffer(block.data, dtype=np.uint8)
        if len(self._names) * len(block.begins) > _MOST_CELLS:
            return None
        taken = _Lines(block, chars, end).candidates()
        keys = _Keys.found(block, chars, end, taken) if taken.any() else None
        return None if keys is None else self._by_name(keys, block.data, chars)

    def _by_name(self, keys: _Keys, data: bytes, chars: Array) -> FlatLines | None:
        name_of = self._names_of(keys, data)
        verified = (name_of >= 0) & (name_of < self._asked)
        verified[verified] = self._verified[name_of[verified]]
        all_kinds, known = _kinds(data, chars, keys, verified)
        if not known.all():
            keys.right[keys.line[~known]] = False
        count = len(keys.lines)
        at = np.full((len(self._names), count), -1, dtype=np.int32)
        named = np.flatnonzero(name_of >= 0)
        at[name_of[named], keys.line[named]] = named
        # A key that stands twice, or has no name here, is missing in the sum.
        right = keys.right & ((at >= 0).sum(axis=0) == np.bincount(keys.line, minlength=count))
        chosen = np.flatnonzero(right)
        if not len(chosen):
            return None
        wanted = at[: self._asked, chosen]
        absent = wanted < 0
        begins, ends, kinds = keys.begins[wanted], keys.ends[wanted], all_kinds[wanted]
        for values, none in ((begins, -1), (ends, -1), (kinds, NULL)):
            values[absent] = none
        return FlatLines(keys.lines[chosen], kinds, begins, ends)

    def _names_of(self, keys: _Keys, data: bytes) -> Array:
        """The number of each key's name; -1 of those that are not told apart."""
        places = Places(data, keys.opens + 1, keys.closes)
        alike = self._in_one_order(keys, places)
        if alike is not None:
            return alike
        found = np.full(len(keys.opens), -1, dtype=np.int64)
        lengths = places.lengths
        for length in {len(name) for name in self._names}:
            rows = np.flatnonzero(lengths == length)
            if len(rows):
                found[rows] = self._named(places, length, rows)
        while self._others and len(self._names) < _MOST_NAMES and (found < 0).any():
            first = int(np.flatnonzero(found < 0)[0])
            name = data[int(places.begins[first]) : int(places.ends[first])]
            self._names.append(name)
            rows = np.flatnonzero((found < 0) & (lengths == len(name)))
            found[rows] = self._named(places, len(name), rows)
        return found

    def _in_one_order(self, keys: _Keys, places: Places) -> Array | None:
        """The same where every line has the keys of the first one, in that order, as files of one program
        have; ``None`` where that is not so, or cannot be seen at once."""
        width = int(np.count_nonzero(keys.line == 0))
        if not width or len(keys.line) != width * len(keys.lines):
            return None
        if not np.array_equal(keys.line[::width], np.arange(len(keys.lines))):
            return None
        lengths = places.lengths.reshape(-1, width)
        if lengths[0].max() > 2 * _WORD_BYTES or not (lengths == lengths[0]).all():
            return None
        # Two words that overlap are all of a short text; what follows a shorter one is cut off.
        words = np.ndarray(len(places.data) - _WORD_BYTES + 1, dtype="<u8", buffer=places.data, strides=(1,))
        shift = (8 * (_WORD_BYTES - np.minimum(lengths[0], _WORD_BYTES))).astype(np.uint64)
        begins = words[places.begins].reshape(-1, width) << shift
        ends = words[np.maximum(places.ends - _WORD_BYTES, places.begins)].reshape(-1, width) << shift
        if not ((begins == begins[0]).all() and (ends == ends[0]).all()):
            return None
        texts = [places.data[a:b] for a, b in zip(places.begins[:width], places.ends[:width], strict=True)]
        for text in texts:
            if self._others and text not in self._names and len(self._names) < _MOST_NAMES:
                self._names.append(text)
        found = [self._names.index(text) if text in self._names else -1 for text in texts]
        return np.tile(np.array(found, dtype=np.int64), len(keys.lines))

    def _named(self, places: Places, length: int, rows: Array) -> Array:
        found = np.full(len(rows), -1, dtype=np.int64)
        texts = places.characters(length, rows) if length else np.empty((len(rows), 0), dtype=np.uint8)
        for number, name in enumerate(self._names):
            if len(name) == length:
                wanted = np.frombuffer(name, dtype=np.uint8)
                found[(texts == wanted).all(axis=1)] = number
        return found


class _Lines:
    """Which lines of a block may be flat objects, by their characters alone."""

    def __init__(self, block: LineBlock, chars: Array, end: int) -> None:
        self._block, self._chars, self._end = block, chars, end

    def candidates(self) -> Array:
        block, chars = self._block, self._chars
        taken: Array = ~block.too_long & (block.ends - block.begins > 1)
        taken &= (chars[block.begins] == _OPEN) & (chars[block.ends - 1] == _CLOSE)
        body = chars[: self._end]
        if block.data.find(b"\\", 0, self._end) >= 0:
            taken &= ~self._have(body == _BACKSLASH)
        controls = body < _BLANK
        if np.count_nonzero(controls) > np.count_nonzero(block.begins) + self._carriage_returns():
            taken &= ~self._have(controls)
        if not self._is_utf8():
            taken &= ~self._have(body >= 0x80)
        return taken

    def _carriage_returns(self) -> int:
        """How many lines but the last end with CRLF."""
        return int((self._block.begins[1:] - self._block.ends[:-1] - 1).sum())

    def _is_utf8(self) -> bool:
        text = self._block.data[: self._end]
        if text.isascii():
            return True
        try:
            text.decode()
        except UnicodeDecodeError:
            return False
        return True

    def _have(self, mask: Array) -> Array:
        """Which lines have a marked character."""
        marked = np.flatnonzero(mask)
        found: Array = np.searchsorted(marked, self._block.ends) > np.searchsorted(marked, self._block.begins)
        return found


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys of ``lines``, in order: ``line`` numbers the line of each among these; ``opens`` and
    ``closes`` are its quotes; ``kinds``, ``begins`` and ``ends`` are of its value. ``right``: of lines,
    which are as they have to be throughout."""

    lines: Array
    right: Array
    line: Array
    opens: Array
    closes: Array
    is_text: Array
    begins: Array
    ends: Array

    @classmethod
    def found(cls, block: LineBlock, chars: Array, end: int, taken: Array) -> _Keys | None:
        quotes = np.flatnonzero(chars[:end] == _QUOTE)
        bounds = np.searchsorted(quotes, block.begins), np.searchsorted(quotes, block.ends)
        counts = bounds[1] - bounds[0]
        taken = taken & (counts > 0) & (counts % 2 == 0) & (counts <= 2 * _MOST_KEYS)
        lines = np.flatnonzero(taken)
        if not len(lines):
            return None
        if len(lines) < len(taken):
            quotes = quotes[np.repeat(taken, counts)]
        opens, closes = quotes[0::2], quotes[1::2]
        line_of = np.repeat(np.arange(len(lines)), counts[lines] // 2)
        return cls._paired(block, chars, lines, line_of, opens, closes)

    @classmethod
    def _paired(
        cls, block: LineBlock, chars: Array, lines: Array, line_of: Array, opens: Array, closes: Array
    ) -> _Keys | None:
        key = np.flatnonzero(chars[closes + 1] == _COLON)
        if not len(key):
            return None
        line = line_of[key]
        own_opens, own_closes = opens[key], closes[key]
        starts = np.flatnonzero(np.append(True, line[1:] != line[:-1]))
        last = np.append(starts[1:], len(line)) - 1
        following = np.append(key[1:], len(opens))
        # The value: from behind the colon to before the comma, or the brace that ends the line.
        begins = own_closes + 2
        begins += chars[begins] == _BLANK
        ends = np.append(own_opens[1:], 0) - 1
        ends -= chars[ends] == _BLANK
        right = chars[ends] == _COMMA
        ends[last], right[last] = block.ends[lines[line[last]]] - 1, True
        right &= ends > begins
        # All quotes up to the next key are those of a text that is the value.
        is_text = chars[begins] == _QUOTE
        right &= following - key == 1 + is_text
        value = np.minimum(key + 1, len(opens) - 1)
        right &= ~is_text | ((opens[value] == begins) & (closes[value] == ends - 1))
        # The first key stands behind the brace.
        right[starts] &= own_opens[starts] == block.begins[lines[line[starts]]] + 1
        good = np.bincount(line, minlength=len(lines)) > 0
        good[line[~right]] = False
        return cls(lines, good, line, own_opens, own_closes, is_text & right, begins, ends)


def _kinds(data: bytes, chars: Array, keys: _Keys, verified: Array) -> tuple[Array, Array]:
    """What values are, and which are values at all; of lines that are not right, none need be."""
    kinds = np.full(len(keys.begins), TEXT, dtype=np.int8)
    known = keys.is_text.copy()
    rest = np.flatnonzero(~known & keys.right[keys.line])
    first = chars[keys.begins[rest]]
    for word, kind in ((b"null", NULL), (b"true", WORD), (b"false", WORD)):
        rows = rest[first == word[0]]
        if len(rows):
            rows = rows[Places(data, keys.begins[rows], keys.ends[rows]).equal(word)]
            kinds[rows], known[rows] = kind, True
    rest = rest[~known[rest]]
    begins, ends = keys.begins[rest], keys.ends[rest]
    numbers = np.zeros(len(rest), dtype=np.bool_)
    trusted = verified[rest]
    numbers[trusted] = _may_be_numbers(chars, begins[trusted], ends[trusted])
    others = np.flatnonzero(~trusted)
    if len(others):
        numbers[others] = _are_numbers(Places(data, begins[others], ends[others]))
    kinds[rest[numbers]], known[rest[numbers]] = NUMBER, True
    return kinds, known


def _may_be_numbers(chars: Array, begins: Array, ends: Array) -> Array:
    """Texts that are numbers by JSON's grammar, if they are digits with a point between them and a minus
    before: a digit stands at both ends, and no zero before another digit."""
    begins = begins + (chars[begins] == _MINUS)
    first, second = chars[begins], chars[np.minimum(begins + 1, ends)]
    found: Array = _is_digit(first) & _is_digit(chars[ends - 1]) & (begins < ends)
    found &= (first != _ZERO) | (ends - begins == 1) | (second == _POINT)
    return found


def _is_digit(characters: Array) -> Array:
    found: Array = (characters >= _ZERO) & (characters <= _NINE)
    return found


def _are_numbers(places: Places) -> Array:
    """Which texts are numbers by JSON's grammar."""
    return arrow.to_mask(pc.match_substring_regex(places.strings(), _NUMBER))
