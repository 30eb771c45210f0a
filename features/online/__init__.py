"""The online store: what is served of each user now, written in Feast's own layout without importing Feast."""

from features.online.opening import open_online_store
from features.online.rows import Fence, OnlineRow
from features.online.store import DeleteResult, OnlineStore, WriteResult

__all__ = ["DeleteResult", "Fence", "OnlineRow", "OnlineStore", "WriteResult", "open_online_store"]
