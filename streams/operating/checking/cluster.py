"""The broker, the topics with their settings and partitions, and what the login may do with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streams.broker.topics.admin import Admin, Made, Topic
from streams.broker.topics.left_over import capacity_partitions
from streams.broker.topics.provisioning import Cluster, co_partitioned
from streams.broker.topics.survey import Survey, survey
from streams.broker.topics.topic_settings import Complaint, complaints, wanted_by_worker
from streams.contract import CAPACITY, topic_name
from streams.exceptions import StreamsError
from streams.operating.checking.finding import Finding
from streams.operating.checking.rights import rights_findings
from streams.settings import Settings


async def cluster_findings(settings: Settings) -> tuple[list[Finding], Cluster | None]:
    """Return what is found about the cluster, and what state is bound to; None if that cannot be told."""
    configs = wanted_by_worker(settings)
    try:
        async with Admin(settings) as admin:
            found = await survey(admin, list(configs))
            told, partitions = _of_partitions(settings, found)
            missing = [name for name in configs if name in found.seen and name not in found.topics]
            to_make = [Made(name, partitions or 1, settings.replication, configs[name]) for name in missing]
            rights = await rights_findings(settings, admin, to_make)
            estimated = settings.capacity_artefact or not settings.runs_users
            left = None if estimated else await capacity_partitions(settings)
    except StreamsError as error:
        away = Finding("topics", False, "not looked at, because the broker cannot be used")
        return [Finding("broker", False, str(error)), away], None
    nodes = f"cluster {found.identity or 'without an id'}, nodes {found.nodes}"
    findings = [Finding("broker", True, f"{settings.broker}, {nodes}"), *_of_topics(settings, found), told, *rights]
    if left is not None:
        findings.append(_of_left_over(settings, left, partitions))
    return findings, None if partitions is None else Cluster(found.identity, partitions)


def _of_topics(settings: Settings, found: Survey) -> Iterator[Finding]:
    wrong = complaints(settings, found.configs, found.replicas, found.nodes)
    for name in wanted_by_worker(settings):
        topic = found.topics.get(name)
        yield _of_topic(name, topic, seen=name in found.seen)
        if topic is not None:
            yield _of_settings(name, [fault for fault in wrong if fault.topic == name], told=name in found.configs)


def _of_topic(name: str, topic: Topic | None, *, seen: bool) -> Finding:
    what = f"topic {name}"
    if not seen:
        return Finding(what, True, "the login may not see it, nor learn whether it exists", told=False)
    if topic is None:
        return Finding(what, True, "missing, made by the first worker that starts, if it may")
    if topic.leaderless:
        said = (
            f"expected a leader of each of its {topic.partitions} partitions, found none of {topic.leaderless}: start "
            "the nodes of the broker that hold them"
        )
        return Finding(what, False, said)
    return Finding(what, True, f"partitions {topic.partitions}, replicas {topic.replicas}")


def _of_left_over(settings: Settings, count: int, partitions: int | None) -> Finding:
    """Judge the topic of capacity where none is estimated."""
    what = f"topic {topic_name(settings, CAPACITY)}"
    said = "nothing is published there, but erasures clear it, with WRITE on it: delete it if nobody reads it"
    if partitions is not None and count != partitions:
        said += f"; it was not this deployment's, which has {partitions} partitions: it has {count}"
    return Finding(what, True, said)


def _of_settings(name: str, wrong: Sequence[Complaint], *, told: bool) -> Finding:
    what = f"settings of {name}"
    fatal = [fault.line() for fault in wrong if fault.fatal]
    if fatal:
        return Finding(what, False, fatal[0])
    warned = "; ".join(f"a warning: expected {fault.setting}, found {fault.found}: {fault.why}" for fault in wrong)
    if not told:
        hidden = "the broker does not tell them to this login: DescribeConfigs would show them, and no worker needs it"
        return Finding(what, True, "; ".join(filter(None, (hidden, warned))), told=False)
    return Finding(what, True, warned or "as a worker needs them")


def _of_partitions(settings: Settings, found: Survey) -> tuple[Finding, int | None]:
    if not found.topics and len(found.seen) < len(wanted_by_worker(settings)):
        return Finding("partitions", True, "of no topic, because the login may not see them", told=False), None
    try:
        partitions = co_partitioned(settings, found.counts) if found.topics else settings.partitions
    except StreamsError as error:
        return Finding("partitions", False, str(error)), None
    those = "of each topic that is there" if found.topics else "of each topic that is to be made"
    return Finding("partitions", True, f"{partitions} {those}"), partitions
