"""Requests of Kafka's protocol that ask what a login may do, in versions that aiokafka lacks."""

from __future__ import annotations

from aiokafka.protocol.admin import DescribeGroupsRequest_v0, DescribeGroupsRequest_v3, DescribeGroupsResponse_v3
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v4
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String


class _MetadataResponse_v8(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(("node_id", Int32), ("host", String()), ("port", Int32), ("rack", String()))),
        ("cluster_id", String()),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String()),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _MetadataRequest_v8(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponse_v8
    SCHEMA = Schema(
        ("topics", Array(String())),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class TopicRights(Request[MetadataRequest_v4 | _MetadataRequest_v8]):  # type: ignore[misc]
    """Asks about topics, by their names, and what the login may do with each; asking makes none."""

    API_KEY = 3

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def build(
        self, request_struct_class: type[MetadataRequest_v4 | _MetadataRequest_v8]
    ) -> MetadataRequest_v4 | _MetadataRequest_v8:
        """Fill in the newest version that the broker has; an old one does not ask about rights."""
        more = (False, True) if request_struct_class is _MetadataRequest_v8 else ()
        return request_struct_class(self._names, False, *more)


class _DescribeGroupsRequest_v3(RequestStruct):  # type: ignore[misc]
    # aiokafka's own reads the answer as one of version 2, which lacks the operations.
    API_KEY = 15
    API_VERSION = 3
    RESPONSE_TYPE = DescribeGroupsResponse_v3
    SCHEMA = DescribeGroupsRequest_v3.SCHEMA


class GroupRights(Request[DescribeGroupsRequest_v0 | _DescribeGroupsRequest_v3]):  # type: ignore[misc]
    """Asks a coordinator about its groups, by their names, and what the login may do with each."""

    API_KEY = 15

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def build(
        self, request_struct_class: type[DescribeGroupsRequest_v0 | _DescribeGroupsRequest_v3]
    ) -> DescribeGroupsRequest_v0 | _DescribeGroupsRequest_v3:
        """Fill in the newest version that the broker has; an old one does not ask about rights."""
        more = (True,) if request_struct_class is _DescribeGroupsRequest_v3 else ()
        return request_struct_class(self._names, *more)
