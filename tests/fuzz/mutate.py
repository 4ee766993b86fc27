"""Damage to bytes, drawn from a seed: the same seed gives the same file on every machine."""

import re

import numpy as np

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_WORDS = (
    *("NaN", "-Infinity", "1e999", "1e308", "9" * 400, "-1", "0", "1.5", "null", "true", '""', "[", "]", "{", "}"),
    *('"people": 7,', '"a": 1, "a": 2,', "\\u0000", "\x00", "\ud83d", "\ufeff", ",", "\n", "=", "[" * 5000, "nan"),
    *("[[", "]]", "inf", "0x" + "f" * 5000, "1979-05-27", "'''", "#", "../", "C:\\", '"canvas_width": 1e308,'),
)


def mutated(data: bytes, others: list[bytes], random: np.random.Generator, *, text: bool) -> bytes:
    """``data`` after one or a few changes; ``others`` lend pieces. ``text`` mostly gets words that trip parsers."""
    found = bytearray(data)
    for _ in range(int(random.geometric(0.6))):
        if found:
            _change(found, others, random, int(random.integers(0, 30 if text else 9)))
    return bytes(found)


def _change(found: bytearray, others: list[bytes], random: np.random.Generator, way: int) -> None:
    at, length = int(random.integers(0, len(found))), int(random.integers(1, max(2, len(found) // 4)))
    match way:
        case 0:
            for place in random.integers(0, len(found), int(random.integers(1, 20))):
                found[place] = int(random.integers(0, 256))
        case 1:
            found[at] ^= 1 << int(random.integers(0, 8))
        case 2:
            found[at : at + length] = random.bytes(min(length, len(found) - at))
        case 3:
            found[at : at + length] = bytes([int(random.choice([0, 255]))]) * min(length, len(found) - at)
        case 4:
            del found[at : at + length]
        case 5:
            found[at:at] = found[at : at + length]
        case 6:
            del found[at:]
        case 7:
            size = int(random.choice([2, 4, 8]))
            number = int(random.choice(_NUMBERS)) % (1 << 8 * size)
            found[at : at + size] = number.to_bytes(size, "big" if random.integers(0, 2) else "little")
        case 8:
            other = others[int(random.integers(0, len(others)))]
            begin = int(random.integers(0, len(other)))
            found[at : at + length] = other[begin : begin + length]
        case _:
            # A whole word gives way to another: what comes of it is often still JSON or TOML.
            word = _WORDS[int(random.integers(0, len(_WORDS)))].encode("utf-8", "surrogatepass")
            if way % 3 == 0:
                word = str(random.normal(0, 10 ** int(random.integers(0, 9)))).encode()
            old = re.compile(rb"-?[\w.]+").search(found, at)
            begin, end = old.span() if old else (at, at)
            found[begin:end] = word
