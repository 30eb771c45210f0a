"""The users that an artefact was not trained on, told by a hash of their ids, so that it can be judged on them."""

from __future__ import annotations

import hashlib
from typing import Final, Self

import msgspec

from models.exceptions import ArtefactError

SALT: Final = "holdout"
"""One for every artefact: who was held out of one training is held out of the next, which makes them comparable."""

MOST_SALT_BYTES: Final = 64
"""The longest key that the hash takes."""

_DIGEST_BYTES: Final = 8
_ALL: Final = 2 ** (8 * _DIGEST_BYTES)


class Holdout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The share of users that training left out, and how to tell who they are.

    Attributes:
        salt: of the hash, 1 to 64 bytes of UTF-8.
        share: of all users, above 0 and below 1.
        users: number of users left out when the artefact was trained.
        rows: number of their rows.

    Raises:
        ArtefactError: a salt or a share that is none, or a count below 0.
    """

    salt: str
    share: float
    users: int = 0
    rows: int = 0

    def __post_init__(self) -> None:
        salted = 1 <= len(self.salt.encode()) <= MOST_SALT_BYTES
        if not (0 < self.share < 1 and salted and min(self.users, self.rows) >= 0):
            raise ArtefactError(
                f"holdout: expected a salt of 1 to {MOST_SALT_BYTES} bytes, a share above 0 and below 1 and counts of "
                f"users and rows, found {self}; train the artefact again"
            )

    def holds_out(self, user_id: str) -> bool:
        """Tell whether a user is held out: it depends on salt, share and id alone, and a greater share adds users."""
        digest = hashlib.blake2b(user_id.encode(), digest_size=_DIGEST_BYTES, key=self.salt.encode()).digest()
        return int.from_bytes(digest, "little") < self.share * _ALL

    def counting(self, users: int, rows: int) -> Self:
        """Return the same with the numbers of users and rows that were held out."""
        return msgspec.structs.replace(self, users=users, rows=rows)
