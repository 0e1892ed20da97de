"""What a row says of who stands behind its actor, beside the arguments of the signal."""

import json

from signals_demo.serialize.text import encode, storable, with_members

IMPERSONATOR = "impersonator"
"""The argument that says who stands behind the actor."""


def with_impersonator(arguments: str, pk: str, name: str) -> str:
    """Return arguments with who stands behind the actor, unless they say so."""
    if not arguments.endswith("}"):
        return arguments
    if f'"{IMPERSONATOR}":' in arguments and IMPERSONATOR in json.loads(arguments):
        return arguments
    behind = storable(encode({"pk": pk, "name": name}))
    return with_members(arguments, f'"{IMPERSONATOR}":{behind}')
