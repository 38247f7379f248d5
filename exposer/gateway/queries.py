"""Which raw query strings hold declared parameters only, as a pattern; for `schema.strict`. Pure.

A name may stand as it is or encoded, but letters and digits only as they are. Values are free, repeated names and names
without a value are fine; a raw ";" is not, since some backends begin a new parameter there.
"""

from collections.abc import Iterable

_VALUE = "(?:=[^&;]*+)?+(?![^&])"
_KEY = "(?:\\[|%5[Bb])(?:[^\\[\\]&;=%]|%(?!5[BbDd]|3[DdBb]|26)[0-9A-Fa-f]{2})*+(?:\\]|%5[Dd])"  # any, in brackets
_ENCODED_ONLY = frozenset(b"&=+#%;")
_ANY_KEY = "[*]"


def pattern(names: Iterable[str]) -> str:
    """A pattern, without anchors, for queries in which no parameter has another name; empty places do no harm."""
    told = "|".join(sorted({_name(name) for name in names}))
    if not told:
        return "&*+"
    one = f"(?:(?:{told}){_VALUE})?"
    return f"{one}(?:&{one})*+"


def _name(name: str) -> str:
    if name.endswith(_ANY_KEY):
        return f"{_wire(name.removesuffix(_ANY_KEY))}(?:{_KEY})+"
    return _wire(name)


def _wire(text: str) -> str:
    return "".join(_wire_byte(byte) for byte in text.encode(errors="replace"))


def _wire_byte(byte: int) -> str:
    char = chr(byte)
    encoded = "%" + "".join(digit if digit.isdigit() else f"[{digit}{digit.lower()}]" for digit in f"{byte:02X}")
    if byte < 0x80 and (char.isalnum() or char in "-._"):
        return char if char.isalnum() else f"\\{char}"
    if char == " ":
        return f"(?:\\+|{encoded})"
    return encoded if byte <= 0x20 or byte > 0x7E or byte in _ENCODED_ONLY else f"(?:\\x{byte:02x}|{encoded})"
