"""A worker that ends leaves its group: whoever joins next need not wait for the end of its session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiokafka.protocol.group import LeaveGroupRequest
from support.encoders import HashEncoder
from support.runs import quick_settings
from support.servers.brokers import Broker

from streams.worker.flow import Flow


async def test_the_first_member_that_a_group_ever_had_leaves_it(broker: Broker, tmp_path: Path) -> None:
    asked: list[Any] = []
    async with Flow(quick_settings(tmp_path, broker=broker.url), encoder=HashEncoder()) as flow:
        coordinator = flow.app.consumer._thread._consumer._coordinator
        member, ask = coordinator.member_id, coordinator._send_req

        async def ask_and_note(request: Any) -> Any:
            answer = await ask(request)
            asked.append((request, getattr(answer, "error_code", 0)))
            return answer

        coordinator._send_req = ask_and_note
    ((leaving, code),) = [one for one in asked if isinstance(one[0], LeaveGroupRequest)]
    assert (leaving._member_id, code) == (member, 0)
