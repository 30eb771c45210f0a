"""What Prometheus is given: its rules parse, and the alerts fire when they should and only then."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.servers.compose import DEPLOY

from streams.telemetry.metrics import Metrics
from streams.telemetry.rekey_metrics import RekeyMetrics

RULES = DEPLOY / "prometheus" / "rules.yml"


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


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
REKEY = 'instance="rekey-1:9464"'
UP = {f'up{{job="wherewithal",{W1}}}': "1+0x120"}
LAG = f'wherewithal_consumer_lag_messages{{{W1},topic="clicks",partition="0"}}'
FACTS_LAG = f'wherewithal_consumer_lag_messages{{{W1},topic="item-facts",partition="0"}}'
FACTS_AGE = f'wherewithal_consumer_lag_seconds{{{W1},topic="item-facts",partition="0"}}'
FACTS_SENT, FACTS_APPLIED, FACTS_REPEATED = (
    f"wherewithal_facts_{what}_total{{{W1}}}" for what in ("sent", "applied", "repeated")
)
EVENTS = f'wherewithal_events_total{{{W1},topic="clicks",outcome="applied"}}'


def assert_firing(
    promtool: str, folder: Path, series: dict[str, str], labels: list[dict[str, str]], *, minutes: int, every: int = 1
) -> None:
    """Compare the alerts that fire after some minutes of these series, by the labels that are given.

    Series have a value, and rules are evaluated, every so many minutes.
    """
    by = labels[0] if labels else ["alertname"]
    firing = {
        "expr": f'count by ({",".join(by)}) (ALERTS{{alertstate="firing"}})',
        "eval_time": f"{minutes}m",
        "exp_samples": [
            {"labels": "{" + ",".join(f'{name}="{value}"' for name, value in one.items()) + "}", "value": 1}
            for one in labels
        ],
    }
    test = {
        "interval": f"{every}m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [firing],
    }
    case = folder / "case.yml"
    document = {"rule_files": [str(RULES)], "evaluation_interval": f"{every}m", "tests": [test]}
    case.write_text(yaml.safe_dump(document), encoding="utf-8")
    found = subprocess.run([promtool, "test", "rules", str(case)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


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
        pytest.param(
            UP | {FACTS_LAG: "50+0x60", EVENTS: "0+60x60", FACTS_SENT: "0+60x60"},
            ["WherewithalFactsWait", "WherewithalWorkerStuck"],
            id="the stage of items stuck beside users that go on",
        ),
        pytest.param(
            UP | {LAG: "50+0x60", FACTS_LAG: "50+0x60", FACTS_APPLIED: "0+60x60"},
            ["WherewithalWorkerStuck"],
            id="users stuck beside items that go on",
        ),
        pytest.param(UP | {FACTS_LAG: "50+0x60", FACTS_APPLIED: "0+60x60"}, [], id="a worker of items alone, at work"),
        pytest.param(UP | {FACTS_LAG: "50+0x60", FACTS_REPEATED: "0+60x60"}, [], id="facts that come twice"),
        pytest.param(UP | {FACTS_SENT: "0+60x60"}, ["WherewithalFactsWait"], id="no stage of items"),
        pytest.param(UP | {FACTS_SENT: "0+60x60", FACTS_APPLIED: "0+60x60"}, [], id="both stages at work"),
        pytest.param(
            UP | {FACTS_AGE: "900+0x60", FACTS_APPLIED: "0+60x60"}, ["WherewithalFactsOld"], id="facts are old"
        ),
        pytest.param(UP | {LAG: "50+0x60", EVENTS: "0+600x60"}, [], id="a small steady lag"),
        pytest.param(UP | {LAG: "0+500x60", EVENTS: "0+600x60"}, ["WherewithalLagGrowing"], id="falling behind"),
        pytest.param(UP | {LAG: "90000-500x60", EVENTS: "0+600x60"}, [], id="catching up"),
        pytest.param(
            UP | {f'wherewithal_consumer_lag_seconds{{{W1},topic="reviews",partition="0"}}': "90+0x60"},
            ["WherewithalLagOld"],
            id="old events",
        ),
        pytest.param(
            UP | {f'wherewithal_title_wait_seconds{{{W1},partition="0"}}': "0+60x60"},
            ["WherewithalTitlesWait"],
            id="titles wait",
        ),
        pytest.param(
            UP | {f'wherewithal_decay_lateness_seconds{{{W1},stage="users",partition="0"}}': "1000+60x60"},
            ["WherewithalDecayLate"],
            id="quiet users wait",
        ),
        pytest.param(
            UP | {f'wherewithal_decay_lateness_seconds{{{W1},stage="users",partition="0"}}': "1000-60x60"},
            [],
            id="quiet users waited for a while",
        ),
        pytest.param(
            UP | {f'wherewithal_records_ahead_total{{{W1},topic="clicks"}}': "0+5x60"},
            ["WherewithalClockAhead"],
            id="a producer's clock is ahead",
        ),
        pytest.param(
            UP | {f'wherewithal_reset_keys_total{{{W1},stage="users"}}': "0+0x40 900+0x20"},
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
    labels = [{"alertname": name} for name in firing]
    assert_firing(promtool, tmp_path, series, labels, minutes=50)


def test_drift_of_more_than_an_hour_fires_by_feature(promtool: str, tmp_path: Path) -> None:
    series = {
        f'wherewithal_drift_psi{{{W1},feature="{feature}"}}': f"{index}+0x120"
        for feature, index in (("spend_30d", 0.3), ("views_1h", 0.2))
    }
    labels = [{"alertname": "WherewithalDrift", "feature": "spend_30d"}]
    assert_firing(promtool, tmp_path, UP | series, labels, minutes=90)


@pytest.mark.parametrize(("risen", "firing"), [(5, True), (4, False)])
def test_items_with_odd_reviews_are_told_when_they_are_more_than_the_day_before(
    risen: int, firing: bool, promtool: str, tmp_path: Path
) -> None:
    series = {f'wherewithal_risk_items{{{W1},evidence="{kind}"}}': "3+0x320" for kind in ("alike", "wordless")}
    series[f'wherewithal_risk_items{{{W1},evidence="burst_24h"}}'] = f"3+0x300 {3 + risen}+0x20"
    up = dict.fromkeys(UP, "1+0x320")
    labels = [{"alertname": "WherewithalReviewsOdd", "evidence": "burst_24h"}] if firing else []
    assert_firing(promtool, tmp_path, up | series, labels, minutes=1560, every=5)


def test_the_source_that_is_read_late_and_the_one_that_is_refused_are_named(promtool: str, tmp_path: Path) -> None:
    records = "wherewithal_rekey_records_total"
    series = {
        f'wherewithal_rekey_lag_seconds{{{REKEY},source="orders",partition="0"}}': "200+0x60",
        f'wherewithal_rekey_lag_seconds{{{REKEY},source="orders",partition="1"}}': "400+0x60",
        f'wherewithal_rekey_lag_seconds{{{REKEY},source="views",partition="0"}}': "200+0x60",
        f'{records}{{{REKEY},source="orders",outcome="taken"}}': "0+980x60",
        f'{records}{{{REKEY},source="orders",outcome="refused"}}': "0+20x60",
        f'{records}{{{REKEY},source="views",outcome="taken"}}': "0+900x60",
        f'{records}{{{REKEY},source="views",outcome="refused"}}': "0+100x60",
    }
    labels = [
        {"alertname": "WherewithalRekeyBehind", "source": "orders"},
        {"alertname": "WherewithalRekeyRefuses", "source": "views"},
    ]
    assert_firing(promtool, tmp_path, UP | series, labels, minutes=50)
