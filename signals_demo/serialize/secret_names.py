"""Which names are those of secrets: fields, settings, keys of dicts, parameters of URLs."""

import re
from collections.abc import Callable, Iterable
from functools import cached_property, lru_cache

# A name is compared as `words_joined_by_underscores`: `clientSecret`, `X-CSRFToken`, `user[pin]`.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_]+")

# Anywhere in a name. Long enough to be part of no ordinary word, except those named here.
_PARTS = (
    r"passw(?:or)?d|passphrase|pass_?code|passport|token|secret(?!ar)|credential|signature"
    r"|authori[sz]ation|cookie|csrf|xsrf|sessid|session_?(?:id|key|data|hash)s?(?![a-z])"
    r"|(?<!mon)(?<!don)(?<!tur)(?<!hoc)(?<!joc)(?<!whis)(?<!lac)(?<!hot)"
    r"(?<!primary_)(?<!foreign_)(?<!natural_)(?<!sort_)(?<!translation_)(?<!block_)keys?(?![a-z])"
    r"|(?<!by)(?<!com)(?<!tres)(?<!sur)(?<!over)(?<!under)(?<!im)pass(?![a-z])"
    r"|(?:credit|debit|bank)_?card(?![a-z])|(?<![a-z])card_?(?:number|num|no|nr|pan)(?![a-z])"
    r"|(?:recovery|backup|scratch|verification|security|confirmation|activation|reset|login|sms"
    r"|access|one_time)_?codes?(?![a-z])"
    r"|secur(?:e|ity)_?answer|client_?assertion|social_?security"
)
# As a word: `pin`, `user_pin` and `pin_2`, but not `pinned` or `spin`.
_WORDS = (
    r"(?<![a-z])(?:api|o?auth|pwd?|[th]?otp|pin|jw[tse]|bearer|saml|cv[vc]|ssn|sid|sig|iban|seeds?"
    r"|mnemonic|samlresponse|(?<!is_)private)(?![a-z])"
)
_SECRET = re.compile(f"{_PARTS}|{_WORDS}")
# What logs people in when it is sent; as the name of a field it is mostly something else.
_SECRET_WHEN_SENT = frozenset({"code", "ticket", "session", "assertion", "code_verifier"})

_LONGEST_REMEMBERED = 100
_LONGEST = 64
"""How many letters, at either end of a name, the patterns of `REDACT` see of it."""


def words_of(name: str) -> str:
    """Return a name as its words in lower case, joined by underscores."""
    return "_".join(_WORD.findall(name)).lower()


class SecretNames:
    """Knows the names of secrets: the usual ones, and those that the patterns of `REDACT` find.

    The work is linear in the length of the name. The patterns run on 64 letters at either end,
    and `conf` refuses those that could take long even there.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._patterns = tuple(patterns)
        self._remembered = lru_cache(maxsize=4096)(self.is_secret_from_outside)

    @cached_property
    def _searches(self) -> list[Callable[[str], object]]:
        # One by one: the flags and groups of one pattern do not concern the others.
        return [re.compile(pattern, re.IGNORECASE).search for pattern in self._patterns]

    def is_secret(self, name: str) -> bool:
        """Return whether a value with this name must be masked. Remembers names."""
        if len(name) <= _LONGEST_REMEMBERED:
            return self._remembered(name)
        return self.is_secret_from_outside(name)

    def is_secret_from_outside(self, name: str) -> bool:
        """Return the same of a name that a visitor chose, and do not remember it."""
        if _SECRET.search(words_of(name)):
            return True
        if len(name) > 2 * _LONGEST:
            name = f"{name[:_LONGEST]} {name[-_LONGEST:]}"
        return any(search(name) for search in self._searches)

    def is_secret_when_sent(self, name: str) -> bool:
        """Return whether a parameter or a credential of a request must be masked."""
        return words_of(name) in _SECRET_WHEN_SENT or self.is_secret_from_outside(name)
