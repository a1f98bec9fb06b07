"""The alerts: about metrics that there are, accepted by Prometheus, and raised when something happens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from nncli.serving.models.served_model import ServedModel
from tests.deploy.support import DEPLOY, program, run
from tests.serving.metered import metered
from tests.serving.trained import train_run

RULES = DEPLOY / "prometheus-rules.yaml"
GROUPS = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
EXPRESSIONS = [rule["expr"] for group in GROUPS for rule in group["rules"]]
SERIES = re.compile(r"\b(nncli_[a-z_]+|process_[a-z_]+)(?:\{([^}]*)\})?")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ServedModel:
    """A model that predicts numbers."""
    return ServedModel.load("number", train_run(tmp_path_factory.mktemp("number"), "number"))


def test_every_metric_and_label_is_one_of_the_server(model: ServedModel) -> None:
    with metered([model]) as app:
        app.client.post_json("/predict", {"x": 1.0})
        # As the connection does, once the response is complete.
        app.state.metrics.count_request("/predict", "POST", 200, 0.01, received=10, sent=20)
        text = app.client.get("/metrics").body.decode()
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    named = [match for expression in EXPRESSIONS for match in SERIES.findall(expression)]
    names = {**labels, "nncli_prediction_bucket": {"model", "target", "le"}}
    names |= {"nncli_predicted_classes_total": {"model", "class"}}
    assert {name for name, _ in named} <= set(names)
    for name, matchers in named:
        assert {item.split("=")[0].rstrip("!") for item in matchers.split(", ") if item} <= {*names[name], "job"}


def test_every_alert_has_a_summary() -> None:
    alerts = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]
    assert len(alerts) >= 8
    assert all(rule["annotations"]["summary"] for rule in alerts)


def test_prometheus_accepts_the_rules() -> None:
    run([program("promtool"), "check", "rules", "--lint=all", "--lint-fatal", RULES])


WEEK = 7 * 24 * 60
"""Minutes of a week."""
CASES: Mapping[str, Mapping[str, str]] = {
    "NncliReloadFailed": {'nncli_model_reload_failed{model="m"}': f"1x{WEEK + 2_880}"},
    "NncliOverloaded": {
        'nncli_requests_total{status="503"}': f"0+6x{WEEK + 2_880}",
        'nncli_requests_total{status="200"}': f"0+60x{WEEK + 2_880}",
    },
    "NncliAnomalousCells": {
        'nncli_rows_total{model="m"}': f"0+60x{WEEK + 2_880}",
        'nncli_anomalous_cells_total{model="m", column="c", kind="unseen"}': f"0+6x{WEEK + 2_880}",
    },
    "NncliPredictionsMoved": {
        'nncli_prediction_bucket{model="m", target="t", le="1.0"}': f"0+50x{WEEK} {50 * WEEK}+20x2880",
        'nncli_prediction_bucket{model="m", target="t", le="+Inf"}': f"0+100x{WEEK + 2_880}",
    },
    "NncliClassesMoved": {
        'nncli_rows_total{model="m"}': f"0+100x{WEEK + 2_880}",
        'nncli_predicted_classes_total{model="m", class="a"}': f"0+50x{WEEK} {50 * WEEK}+20x2880",
    },
}


@pytest.mark.parametrize("alert", list(CASES))
def test_the_alert_is_raised_by_what_it_is_for_and_by_nothing_else(tmp_path: Path, alert: str) -> None:
    firing = 'count by (alertname) (ALERTS{alertstate="firing"})'
    test = {
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in CASES[alert].items()],
        "promql_expr_test": [
            {
                "expr": firing,
                "eval_time": f"{WEEK + 2_000}m",
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1}],
            },
            {"expr": firing, "eval_time": "1m", "exp_samples": []},
        ],
    }
    document = {"rule_files": [str(RULES)], "evaluation_interval": "5m", "tests": [test]}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(document))
    run([program("promtool"), "test", "rules", tmp_path / "tests.yaml"])
