"""The deployment files: they parse, agree with each other and with the program, and the alerts fire."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.pages import blocks, text_of
from support.paths import ROOT
from support.patience import PATIENCE_S
from support.servers.compose import DEPLOY, THREE_NODES, composed, unescaped

from models.libraries import FINETUNE, REGISTRY, TRAIN
from streams.settings import Settings, load_settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.rekey_metrics import RekeyMetrics
from streams.telemetry.server import Server

RULES = DEPLOY / "prometheus" / "rules.yml"
MIB = 1 << 20


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found = loaded(DEPLOY / "compose.yaml")["services"]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def workers(services: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in services.items() if name.startswith("worker")}


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not on the PATH: install Prometheus to check its rules and configuration")
    return found


def alerts() -> list[dict[str, Any]]:
    return [rule for group in loaded(RULES)["groups"] for rule in group["rules"] if "alert" in rule]


def base_name(metric: str) -> str:
    return re.sub(r"_(total|bucket|sum|count|info)$", "", metric)


# Compose


def test_every_image_is_pinned_to_a_release(services: dict[str, Any]) -> None:
    tags = {service["image"].partition(":")[2] for service in services.values()}
    assert tags.isdisjoint({"", "latest"})


def test_every_service_that_is_waited_for_can_tell_that_it_is_healthy(services: dict[str, Any]) -> None:
    waits = {(n, c["condition"]) for s in services.values() for n, c in s.get("depends_on", {}).items()}
    assert waits == {("kafka", "service_healthy"), ("redis", "service_healthy")}
    assert all("healthcheck" in services[name] for name, _ in waits)


def test_kafka_is_a_single_kraft_node_whose_internal_topics_need_one_replica(
    services: dict[str, Any],
) -> None:
    given = services["kafka"]["environment"]
    assert given["KAFKA_PROCESS_ROLES"] == "broker,controller"
    assert given["KAFKA_CONTROLLER_QUORUM_VOTERS"].startswith(f"{given['KAFKA_NODE_ID']}@kafka:")
    assert given["KAFKA_ADVERTISED_LISTENERS"] == "CLIENTS://kafka:9092"
    assert {given[name] for name in given if name.endswith(("REPLICATION_FACTOR", "MIN_ISR"))} == {"1"}


def test_no_listener_of_kafka_takes_anybody_without_a_login(services: dict[str, Any]) -> None:
    given = services["kafka"]["environment"]
    names = [listener.partition(":")[0] for listener in given["KAFKA_LISTENERS"].split(",")]
    mapped = dict(entry.split(":") for entry in given["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    assert mapped == dict.fromkeys(names, "SASL_PLAINTEXT")
    for name in names:
        assert "PlainLoginModule required" in given[f"KAFKA_LISTENER_NAME_{name}_PLAIN_SASL_JAAS_CONFIG"]


def test_every_password_comes_from_the_file_of_a_secret() -> None:
    document = composed(THREE_NODES)
    logins = [login for login in document["secrets"] if login != "admin"]
    assert document["secrets"] == {name: {"file": f"./secrets/{name}"} for name in ("admin", *logins)}
    for name, service in document["services"].items():
        given = unescaped(service.get("environment", {}))
        passwords = re.findall(r'(?:password|user_\w+)="([^"]*)"', " ".join(given.values()))
        read = {*passwords, given.get("WHEREWITHAL_BROKER_PASSWORD_FILE", "")} - {""}
        expected = {f"${{directory:/run/secrets:{one}}}" for one in document["secrets"]}
        if name.startswith("worker"):
            assert service["secrets"] == [given["WHEREWITHAL_BROKER_USERNAME"]] == logins
            expected = {f"/run/secrets/{login}" for login in logins}
        assert read == (expected if "secrets" in service else set())


def test_the_passwords_are_made_as_the_page_says(tmp_path: Path) -> None:
    (block,) = [block for block in blocks(text_of(DEPLOY / "README.md"), "sh") if "openssl" in block]
    lines = [line for line in block.splitlines() if not line.startswith(("docker", " "))]
    (tmp_path / "deploy").mkdir()
    subprocess.run(["bash", "-euc", "\n".join(lines)], cwd=tmp_path, check=True)
    made = {file.name: file.read_text() for file in (tmp_path / "deploy" / "secrets").iterdir()}
    assert set(made) == set(composed(THREE_NODES)["secrets"])
    assert all(re.fullmatch("[0-9a-f]{48}", password) for password in made.values()), "no end of a line, either"


def test_three_nodes_differ_in_what_is_their_own_and_keep_a_record_when_one_is_lost() -> None:
    document = composed(THREE_NODES)
    nodes = {name: one for name, one in document["services"].items() if name.startswith("kafka")}
    given = [dict(node["environment"]) for node in nodes.values()]
    voters = ",".join(f"{one['KAFKA_NODE_ID']}@{name}:9093" for one, name in zip(given, nodes, strict=True))
    for one, name in zip(given, nodes, strict=True):
        assert nodes[name]["hostname"] == name
        assert one.pop("KAFKA_ADVERTISED_LISTENERS") == f"CLIENTS://{name}:9092"
        assert one["KAFKA_CONTROLLER_QUORUM_VOTERS"] == voters
        assert {one[key] for key in one if key.endswith("REPLICATION_FACTOR")} == {"3"}
        assert {one[key] for key in one if key.endswith(("MIN_ISR", "MIN_INSYNC_REPLICAS"))} == {"2"}
    assert len({one.pop("KAFKA_NODE_ID") for one in given}) == 3
    assert given[0] == given[1] == given[2]
    data = [mount.split(":")[0] for node in nodes.values() for mount in node["volumes"] if "/kafka/data" in mount]
    assert len(set(data)) == 3
    assert set(data) <= set(document["volumes"])
    for name, worker in document["services"].items():
        if name.startswith("worker"):
            brokers = ",".join(f"{node}:9092" for node in nodes)
            assert worker["environment"]["WHEREWITHAL_BROKER"] == f"kafka://{brokers}"
            assert worker["environment"]["WHEREWITHAL_REPLICATION"] == "3"
            assert set(nodes) <= set(worker["depends_on"])


def test_kafka_takes_records_of_8_mib_with_room_for_headers(services: dict[str, Any]) -> None:
    assert int(services["kafka"]["environment"]["KAFKA_MESSAGE_MAX_BYTES"]) > 8 * MIB


def test_only_the_program_makes_topics_and_every_worker_with_the_same_partitions(
    services: dict[str, Any], workers: dict[str, Any]
) -> None:
    assert services["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert len({worker["environment"]["WHEREWITHAL_PARTITIONS"] for worker in workers.values()}) == 1


def test_redis_never_evicts_and_keeps_its_rows(services: dict[str, Any]) -> None:
    command = " ".join(services["redis"]["command"])
    assert "--maxmemory-policy noeviction" in command
    assert "--appendonly yes" in command


def test_two_workers_are_alike_but_for_their_state(workers: dict[str, Any]) -> None:
    assert len(workers) == 2
    volumes = [worker["volumes"] for worker in workers.values()]
    assert volumes[0] != volumes[1]
    folder = {worker["environment"]["WHEREWITHAL_STATE_DIR"] for worker in workers.values()}
    assert {mount.partition(":")[2] for mounts in volumes for mount in mounts} == folder
    first, second = ({k: v for k, v in worker.items() if k != "volumes"} for worker in workers.values())
    assert first == second


def test_every_named_volume_is_declared(services: dict[str, Any]) -> None:
    mounts = [mount.partition(":")[0] for s in services.values() for mount in s.get("volumes", [])]
    named = [mount for mount in mounts if not mount.startswith(".")]
    assert sorted(named) == sorted(loaded(DEPLOY / "compose.yaml")["volumes"])


def test_every_setting_given_to_a_worker_is_one_the_program_has(workers: dict[str, Any]) -> None:
    module = pytest.importorskip("streams.settings", reason="streams.settings is not importable yet")
    known = {f"WHEREWITHAL_{name.upper()}" for name in module.Settings.model_fields}
    for worker in workers.values():
        assert set(worker["environment"]) <= known


# The image


def dockerfile() -> str:
    """The instructions, each on one line."""
    return (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} +(.+)$", dockerfile(), flags=re.MULTILINE)


def test_the_image_is_built_from_files_that_reach_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {source for line in instructions("COPY") if "--from" not in line for source in line.split()[:-1]}
    assert copied == sent


def test_the_image_does_not_run_as_root() -> None:
    users = instructions("USER")
    assert users
    assert users[-1] not in {"root", "0"}


def test_the_image_has_the_tested_versions_of_all_that_its_commands_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (install,) = [line for line in instructions("RUN") if "pip install" in line]
    assert "--constraint constraints.txt" in install
    assert '".${EXTRAS:+[$EXTRAS]}"' in install
    (chosen,) = [set(line.removeprefix("EXTRAS=").split(",")) for line in instructions("ARG") if "EXTRAS" in line]
    # What commands need; the others are for developers, and for an encoder that a setting names.
    assert chosen == {"demo", TRAIN, FINETUNE, REGISTRY} <= set(project["optional-dependencies"])
    images = {line.split(":")[1].split("-")[0] for line in instructions("FROM")}
    assert {f">={version}" for version in images} == {project["requires-python"]}


def test_a_library_of_the_system_that_a_package_is_linked_against_is_installed() -> None:
    needed = {"libgomp1"} if "lightgbm" in (ROOT / "pyproject.toml").read_text() else set()
    installed = {word for line in instructions("RUN") if "apt-get install" in line for word in line.split()}
    assert needed <= installed


def checked(test: list[str], port: int) -> int:
    """The exit code of a health check, run here."""
    command = [sys.executable if word == "python" else word.replace("9464", str(port)) for word in test]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WHEREWITHAL_")}
    return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=PATIENCE_S).returncode


def test_the_health_checks_of_image_and_compose_tell_a_worker_that_is_well(workers: dict[str, Any]) -> None:
    (of_image,) = [json.loads(line.partition("CMD ")[2]) for line in instructions("HEALTHCHECK")]
    (of_worker,) = {tuple(worker["healthcheck"]["test"][1:]) for worker in workers.values()}
    asked: list[str] = []

    def answer(path: str) -> str | None:
        asked.append(path)
        return reason

    reason: str | None = None
    ports = {str(Settings.model_fields["metrics_port"].default), *instructions("EXPOSE")}
    assert ports == {worker["environment"]["WHEREWITHAL_METRICS_PORT"] for worker in workers.values()} == {"9464"}
    server = Server(load_settings(metrics_port=0), Metrics(), lambda: answer("live"), lambda: answer("ready"))
    server.start()
    try:
        for test in (of_image, list(of_worker)):
            assert checked(test, server.port) == 0
        reason = "the broker does not answer"
        for test in (of_image, list(of_worker)):
            assert checked(test, server.port) != 0
    finally:
        server.stop()
    assert asked == ["live", "ready"] * 2
    assert checked(of_image, server.port) != 0, "nobody answers any more"


# Prometheus


def test_every_worker_is_scraped_at_its_metrics_port(workers: dict[str, Any]) -> None:
    (job,) = loaded(DEPLOY / "prometheus" / "prometheus.yml")["scrape_configs"]
    targets = {target for config in job["static_configs"] for target in config["targets"]}
    assert targets == {f"{n}:{w['environment']['WHEREWITHAL_METRICS_PORT']}" for n, w in workers.items()}


def test_every_alert_says_how_bad_it_is_and_what_to_do_first() -> None:
    assert len(alerts()) >= 10
    for alert in alerts():
        assert alert["labels"]["severity"] in {"warning", "critical"}
        assert alert["annotations"]["summary"]
        assert re.search(r"\b[Ff]irst\b", alert["annotations"]["description"])
        assert alert["for"]


def test_every_metric_named_in_a_rule_is_one_that_is_shown() -> None:
    shown = {base_name(name) for metrics in (Metrics(), RekeyMetrics()) for name in metrics.names()}
    named = set(re.findall(r"(?<!\w)wherewithal_\w+", RULES.read_text(encoding="utf-8")))
    assert named
    assert {name for name in named if base_name(name) not in shown} == set()


@pytest.mark.parametrize(("check", "name"), [("rules", "rules.yml"), ("config", "prometheus.yml")])
def test_promtool_accepts(check: str, name: str, promtool: str) -> None:
    command = [promtool, "check", check, str(DEPLOY / "prometheus" / name)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


W1 = 'instance="worker-1:9464"'
UP = {f'up{{job="wherewithal",{W1}}}': "1+0x60"}
LAG = f'wherewithal_consumer_lag_messages{{{W1},topic="clicks",partition="0"}}'
EVENTS = f'wherewithal_events_total{{{W1},topic="clicks",outcome="applied"}}'


def calibration(*, predicted: int, actual: int, judged: int) -> dict[str, str]:
    """What grows by so much in every minute."""
    growth = {"predicted": predicted, "actual": actual, "judged": judged}
    labels = f'{W1},scorer="a",decile="9"'
    return {f"wherewithal_calibration_{name}_total{{{labels}}}": f"0+{step}x60" for name, step in growth.items()}


@pytest.mark.parametrize(
    ("series", "firing"),
    [
        pytest.param({}, ["WherewithalNoWorker"], id="nobody there"),
        pytest.param(UP, [], id="all quiet"),
        pytest.param(
            {f'up{{job="wherewithal",{W1}}}': "0+0x60"},
            ["WherewithalNoWorker", "WherewithalWorkerAbsent"],
            id="the only worker is down",
        ),
        pytest.param(
            UP | {'up{job="wherewithal",instance="worker-2:9464"}': "0+0x60"},
            ["WherewithalWorkerAbsent"],
            id="one of two is down",
        ),
        pytest.param(UP | {f"wherewithal_ready{{{W1}}}": "0+0x60"}, ["WherewithalWorkerNotReady"], id="not ready"),
        pytest.param(UP | {LAG: "50+0x60"}, ["WherewithalWorkerStuck"], id="stuck from the start"),
        pytest.param(UP | {LAG: "50+0x60", EVENTS: "9000+0x60"}, ["WherewithalWorkerStuck"], id="stuck later on"),
        pytest.param(UP | {LAG: "50+0x60", EVENTS: "0+600x60"}, [], id="a small steady lag"),
        pytest.param(UP | {LAG: "0+500x60", EVENTS: "0+600x60"}, ["WherewithalLagGrowing"], id="falling behind"),
        pytest.param(UP | {LAG: "90000-500x60", EVENTS: "0+600x60"}, [], id="catching up"),
        pytest.param(
            UP | {f'wherewithal_consumer_lag_seconds{{{W1},topic="reviews",partition="0"}}': "90+0x60"},
            ["WherewithalLagOld"],
            id="old events",
        ),
        pytest.param(
            UP | {f'wherewithal_decay_lateness_seconds{{{W1},partition="0"}}': "1000+60x60"},
            ["WherewithalDecayLate"],
            id="quiet users wait",
        ),
        pytest.param(
            UP | {f'wherewithal_decay_lateness_seconds{{{W1},partition="0"}}': "1000-60x60"},
            [],
            id="quiet users waited for a while",
        ),
        pytest.param(
            UP | {f'wherewithal_records_ahead_total{{{W1},topic="clicks"}}': "0+5x60"},
            ["WherewithalClockAhead"],
            id="a producer's clock is ahead",
        ),
        pytest.param(
            UP | {f"wherewithal_reset_users_total{{{W1}}}": "0+0x40 900+0x20"},
            ["WherewithalClockAhead"],
            id="a worker's clock was ahead",
        ),
        pytest.param(
            UP
            | {
                f'wherewithal_event_to_score_seconds_bucket{{{W1},le="1"}}': "0+90x60",
                f'wherewithal_event_to_score_seconds_bucket{{{W1},le="5"}}': "0+100x60",
                f'wherewithal_event_to_score_seconds_bucket{{{W1},le="+Inf"}}': "0+100x60",
            },
            ["WherewithalEventToScoreSlow"],
            id="slow scores",
        ),
        pytest.param(
            UP | {EVENTS: "0+600x60", f'wherewithal_dead_letters_total{{{W1},reason="invalid"}}': "0+60x60"},
            ["WherewithalDeadLetterShareHigh"],
            id="many dead letters",
        ),
        pytest.param(
            UP | {EVENTS: "0+600x60", f'wherewithal_dead_letters_total{{{W1},reason="invalid"}}': "0+1x60"},
            [],
            id="a few dead letters",
        ),
        pytest.param(
            UP
            | {
                f"wherewithal_degraded{{{W1}}}": "1+0x60",
                f"wherewithal_encoder_failures_total{{{W1}}}": "0+3x60",
            },
            ["WherewithalDegraded", "WherewithalEncoderFailing"],
            id="encoder down",
        ),
        pytest.param(
            UP | {f"wherewithal_online_failures_total{{{W1}}}": "0+3x60"},
            ["WherewithalOnlineStoreFailing"],
            id="online store down",
        ),
        pytest.param(
            UP
            | {
                f'wherewithal_model_info{{{W1},scorer="a",encoder="e"}}': "1+0x60",
                'wherewithal_model_info{instance="worker-2:9464",scorer="b",encoder="e"}': "1+0x60",
            },
            ["WherewithalMixedModels"],
            id="two models",
        ),
        pytest.param(
            UP | {f'wherewithal_artefact_refused_total{{{W1},role="live"}}': "0+0x40 1+0x20"},
            ["WherewithalArtefactRefused"],
            id="a refused artefact",
        ),
        pytest.param(
            UP | {f"wherewithal_shadow_failures_total{{{W1}}}": "0+0x40 1+0x20"},
            ["WherewithalShadowFailed"],
            id="a failed shadow",
        ),
        pytest.param(
            UP
            | {
                f'wherewithal_drift_psi{{{W1},feature="spend_30d"}}': "0.3+0x200",
                f'wherewithal_drift_psi{{{W1},feature="views_1h"}}': "0.2+0x200",
            },
            [],
            id="drift of less than an hour",
        ),
        pytest.param(UP | calibration(predicted=200, actual=100, judged=50), ["WherewithalCalibrationOff"], id="high"),
        pytest.param(UP | calibration(predicted=50, actual=100, judged=50), ["WherewithalCalibrationOff"], id="low"),
        pytest.param(UP | calibration(predicted=120, actual=100, judged=50), [], id="well calibrated"),
        pytest.param(UP | calibration(predicted=200, actual=100, judged=10), [], id="too few are judged"),
        pytest.param(
            UP | {f'wherewithal_model_fit_info{{{W1},fit="foreign"}}': "0x20 1x30"},
            ["WherewithalForeignScorer"],
            id="foreign",
        ),
        pytest.param(
            UP | {f'wherewithal_model_fit_info{{{W1},fit="foreign"}}': "0x20 1x10 0x20"}, [], id="foreign for a while"
        ),
        pytest.param(UP | {f'wherewithal_model_fit_info{{{W1},fit="fitted"}}': "1x50"}, [], id="a scorer that fits"),
    ],
)
def test_alerts_fire_when_they_should_and_only_then(
    series: dict[str, str], firing: list[str], promtool: str, tmp_path: Path
) -> None:
    assert set(firing) <= {alert["alert"] for alert in alerts()}
    alerting = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in firing]
    at_the_end = {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": "50m",
        "exp_samples": alerting,
    }
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [at_the_end],
    }
    case = tmp_path / "case.yml"
    document = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}
    case.write_text(yaml.safe_dump(document), encoding="utf-8")
    found = subprocess.run([promtool, "test", "rules", str(case)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_drift_of_more_than_an_hour_fires_by_feature(promtool: str, tmp_path: Path) -> None:
    series = [
        {"series": f'wherewithal_drift_psi{{{W1},feature="{feature}"}}', "values": f"{index}+0x120"}
        for feature, index in (("spend_30d", 0.3), ("views_1h", 0.2))
    ]
    firing = {
        "expr": 'count by (feature) (ALERTS{alertstate="firing",alertname="WherewithalDrift"})',
        "eval_time": "90m",
        "exp_samples": [{"labels": '{feature="spend_30d"}', "value": 1}],
    }
    case = tmp_path / "case.yml"
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [firing]}
    case.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}))
    found = subprocess.run([promtool, "test", "rules", str(case)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
