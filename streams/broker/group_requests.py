"""Requests about members of a group with an instance id, in the versions that carry it; aiokafka has older ones.

They are those of KIP-345, which brokers know since Apache Kafka 2.3 (leaving: 2.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.group import HeartbeatRequest, LeaveGroupRequest
from aiokafka.protocol.types import Array, Int16, Int32, Schema, String

FENCED_INSTANCE_ID: Final = 82
"""Error code: another member has taken the place of this instance id."""


class _HeartbeatResponse(Response):
    API_KEY = HeartbeatRequest.API_KEY
    API_VERSION = 3
    SCHEMA = Schema(("throttle_time_ms", Int32), ("error_code", Int16))


class _HeartbeatStruct(RequestStruct):
    API_KEY = HeartbeatRequest.API_KEY
    API_VERSION = 3
    RESPONSE_TYPE = _HeartbeatResponse
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("generation_id", Int32),
        ("member_id", String("utf-8")),
        ("group_instance_id", String("utf-8")),
    )


class InstanceHeartbeat(Request[_HeartbeatStruct]):
    """A heartbeat that tells the instance id, so that the answer tells a member replaced from one thrown out."""

    API_KEY = HeartbeatRequest.API_KEY

    def __init__(self, group: str, generation: int, member: str, instance: str) -> None:
        self._fields = group, generation, member, instance

    def build(self, request_struct_class: type[_HeartbeatStruct]) -> _HeartbeatStruct:
        """Return the request."""
        return request_struct_class(*self._fields)


class _LeaveResponse(Response):
    API_KEY = LeaveGroupRequest.API_KEY
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        (
            "members",
            Array(("member_id", String("utf-8")), ("group_instance_id", String("utf-8")), ("error_code", Int16)),
        ),
    )


class _LeaveStruct(RequestStruct):
    API_KEY = LeaveGroupRequest.API_KEY
    API_VERSION = 3
    RESPONSE_TYPE = _LeaveResponse
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("members", Array(("member_id", String("utf-8")), ("group_instance_id", String("utf-8")))),
    )


class LeaveInstances(Request[_LeaveStruct]):
    """Gives up the places of instances, whoever asks."""

    API_KEY = LeaveGroupRequest.API_KEY

    def __init__(self, group: str, instances: Sequence[str]) -> None:
        self._group = group
        self._instances = instances

    def build(self, request_struct_class: type[_LeaveStruct]) -> _LeaveStruct:
        """Return the request; no member id stands for whatever member has the instance id."""
        return request_struct_class(self._group, [("", instance) for instance in self._instances])
