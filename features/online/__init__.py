"""The online store: what is served of users and items now, in Feast's own layout without importing Feast."""

from features.online.item_views import ITEMS
from features.online.opening import open_online_store
from features.online.rows import Fence, ItemRow, OnlineRow
from features.online.store import DeleteResult, OnlineStore, WriteResult
from features.online.user_views import USERS

__all__ = [
    "ITEMS",
    "USERS",
    "DeleteResult",
    "Fence",
    "ItemRow",
    "OnlineRow",
    "OnlineStore",
    "WriteResult",
    "open_online_store",
]
