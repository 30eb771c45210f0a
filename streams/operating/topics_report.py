"""What a deployment's topics are, or have to be: a shell script whose commands make those that are missing.

All that is no such command is a comment, so that a shell may run the whole, and changes no topic that exists.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from streams.broker.tools import servers_of
from streams.broker.topics.planning import Difference, Level, Planned, create_command, differences, planned
from streams.broker.topics.provisioning import co_partitioned
from streams.broker.topics.survey import Survey
from streams.exceptions import StreamsError
from streams.login_settings import check_login
from streams.settings import Settings
from streams.terminal import shown


class Report(NamedTuple):
    """The script.

    Attributes:
        lines: of the script.
        well: whether every topic of a worker is there, and none as it would refuse it.
    """

    lines: Sequence[str]
    well: bool


def shared_partitions(settings: Settings, found: Survey) -> int:
    """Return the number of partitions that a worker's topics have, or are to get if there is none yet.

    Raises:
        StreamsError: those that are there have different numbers.
    """
    shared = {plan.name for plan in planned(settings) if plan.of_worker}
    counts = {name: count for name, count in found.counts.items() if name in shared}
    return co_partitioned(settings, counts) if counts else settings.partitions


def missing(settings: Settings, found: Survey) -> list[Planned]:
    """Return the topics that are not there. One that the login may not see is none of them."""
    return [plan for plan in planned(settings) if plan.name in found.seen and plan.name not in found.topics]


def report_unseen(settings: Settings) -> Report:
    """Return the script that makes every topic, where no broker says what is there."""
    lines = [*_title(settings, "no broker told which of them are there"), *_numbers(settings, settings.partitions)]
    for plan in planned(settings):
        lines += _to_make(settings, plan, settings.partitions, "to be there")
    return Report(lines, well=False)


def report(settings: Settings, found: Survey, made: Collection[str] = ()) -> Report:
    """Return the script for what is missing, with what is there and how it differs.

    Args:
        settings: of the deployment.
        found: on its broker.
        made: names of topics that were made just now.
    """
    plans = planned(settings)
    gone = [plan for plan in plans if plan.name not in found.topics]
    wrong = differences(settings, found)
    partitions: int | None = None
    lines = [*_title(settings, f"nodes {found.nodes}")]
    try:
        partitions = shared_partitions(settings, found)
    except StreamsError as error:
        lines.append(_comment(f"{Level.REFUSED}: {error}"))
    else:
        lines += _numbers(settings, partitions) if gone else ()
    for plan in plans:
        if plan in gone:
            state = "missing" if plan.name in found.seen else "not told, because the login may not DESCRIBE it"
            lines += _to_make(settings, plan, partitions, state)
        else:
            ours = [fault for fault in wrong if fault.topic == plan.name]
            lines += _there(settings, plan, found, ours, "made" if plan.name in made else "there")
    needed = [plan for plan in gone if plan.of_worker]
    led = not any(topic.leaderless for topic in found.topics.values())
    fit = partitions is not None and led and not any(fault.level is Level.REFUSED for fault in wrong)
    return Report([*lines, "", _comment(_sum(len(needed), wrong, fit=fit))], fit and not needed)


def _title(settings: Settings, seen: str) -> Iterator[str]:
    yield _comment(f"The topics of wherewithal on {servers_of(settings)} ({seen})")
    mechanism, protocol = check_login(settings)
    if mechanism is not None or protocol.encrypted:
        yield _comment("Add --command-config FILE to each command: Kafka's tools take login and TLS from there")


def _numbers(settings: Settings, partitions: int) -> Iterator[str]:
    if partitions == settings.partitions:
        why = "WHEREWITHAL_PARTITIONS"
    else:
        why = f"as the topics that are there have, whatever WHEREWITHAL_PARTITIONS says, which is {settings.partitions}"
    yield _comment(
        f"partitions {partitions} ({why}): at most so many workers share the work, and another number later means a "
        "copy (wherewithal repartition)"
    )
    if settings.replication > 0:
        lost = settings.replication - 1
        outlives = f"a topic outlives the loss of {lost} of its disks" if lost else "a topic is lost with one disk"
        yield _comment(f"replicas {settings.replication} (WHEREWITHAL_REPLICATION): {outlives}")
    else:
        yield _comment("replicas: as many as the broker makes by default; WHEREWITHAL_REPLICATION names a number")


def _to_make(settings: Settings, plan: Planned, partitions: int | None, state: str) -> Iterator[str]:
    yield ""
    yield _comment(f"{plan.name}: {state}. It holds {plan.holds}")
    if partitions is None and plan.of_worker:
        yield _comment("  how many partitions it needs is open, as said above")
        return
    for name, value in plan.configs.items():
        yield _comment(f"  {name}={value}: {plan.reasons[name]}")
    yield shown(create_command(plan.made(partitions or 1, settings.replication), servers_of(settings)))


def _there(settings: Settings, plan: Planned, found: Survey, wrong: Sequence[Difference], state: str) -> Iterator[str]:
    topic = found.topics[plan.name]
    said = f"{plan.name}: {state}, partitions {topic.partitions}, replicas {topic.replicas}"
    if plan.name not in found.configs:
        said += "; its settings are not told: the login needs DescribeConfigs on it"
    elif not wrong:
        said += ", settings as they would be made"
    yield _comment(said)
    if topic.leaderless:
        yield _comment(
            f"  {Level.REFUSED}: expected a leader of each partition, found none of {topic.leaderless}: start the "
            "nodes of the broker that hold them"
        )
    for fault in wrong:
        yield _comment(f"  {fault.level}: expected {fault.setting}, found {fault.found}: {fault.why}")
        if command := fault.command(servers_of(settings)):
            yield _comment(f"    {command}")


def _sum(needed: int, wrong: Collection[Difference], *, fit: bool) -> str:
    warnings = sum(fault.level is Level.WARNING for fault in wrong)
    said = f"missing {needed}" if needed else "none missing"
    advice = "; these commands make them, and so does wherewithal topics --go" if needed else ""
    refused = "" if fit else ", not as a worker needs them"
    return f"The topics of a worker: {said}, warnings {warnings}{refused}{advice}"


def _comment(text: str) -> str:
    return f"# {shown(text)}"
