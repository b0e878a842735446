"""The hash of a password that Linux keeps in /etc/shadow: SHA-512-crypt, `$6$salt$hash`.

Python had it in `crypt` until 3.13, as far as the C library knew it.

Source: https://www.akkadia.org/drepper/SHA-crypt.txt
"""

from __future__ import annotations

import secrets
from hashlib import sha512
from itertools import chain

ROUNDS = 5000
"""The method's own number, which a hash does not have to name."""
SALT = 16
"""Characters of a salt."""
_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SIZE = 64
_SHARES, _SALTED_ROUND, _KEYED_ROUND = 21, 3, 7


def hashed(password: str, salt: str = "") -> str:
    """The hash of a password; about 5 ms.

    Args:
        password: in clear.
        salt: at most 16 characters of `./0-9A-Za-z`; empty: a new one.
    """
    salt = salt or "".join(secrets.choice(_ALPHABET) for _ in range(SALT))
    return f"$6${salt}${_text(_digest(password.encode(), salt.encode()))}"


def _digest(key: bytes, salt: bytes) -> bytes:
    size = len(key)
    other = sha512(key + salt + key).digest()
    first = sha512(key + salt + _repeated(other, size))
    bits = size
    while bits:
        first.update(other if bits & 1 else key)
        bits >>= 1
    found = first.digest()
    keys = _repeated(sha512(key * size).digest(), size)
    salts = _repeated(sha512(salt * (16 + found[0])).digest(), len(salt))
    for number in range(ROUNDS):
        odd = number % 2
        step = keys if odd else found
        if number % _SALTED_ROUND:
            step += salts
        if number % _KEYED_ROUND:
            step += keys
        found = sha512(step + (found if odd else keys)).digest()
    return found


def _repeated(digest: bytes, size: int) -> bytes:
    return (digest * (size // _SIZE + 1))[:size]


def _text(digest: bytes) -> str:
    """Three bytes as four letters, the least six bits first; which three the method says."""
    triples = []
    a, b, c = 0, _SHARES, 2 * _SHARES
    for _ in range(_SHARES):
        triples.append(digest[a] << 16 | digest[b] << 8 | digest[c])
        a, b, c = b + 1, c + 1, a + 1
    letters = chain.from_iterable(_letters(number, 4) for number in triples)
    return "".join(chain(letters, _letters(digest[_SIZE - 1], 2)))


def _letters(number: int, count: int) -> list[str]:
    return [_ALPHABET[number >> 6 * place & 63] for place in range(count)]
