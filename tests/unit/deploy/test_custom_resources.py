"""What is for KEDA and prometheus-operator, which have no schema here: the fields that they are known by."""

from tests.unit.deploy.exposition import NAMES
from tests.unit.deploy.manifests import API, EXAMPLE, WORKER, container, documents, pod, the, variables
from tests.unit.deploy.promql import metrics, misused

SCALED = the("ScaledObject", "penstock-worker")["spec"]
(TRIGGER,) = SCALED["triggers"]
MONITOR = the("PodMonitor", "penstock-api")["spec"]


def test_keda_scales_the_workers() -> None:
    assert the("ScaledObject", "penstock-worker")["apiVersion"] == "keda.sh/v1alpha1"
    assert SCALED["scaleTargetRef"] == {"name": WORKER["metadata"]["name"]}
    assert SCALED.keys() == {
        "scaleTargetRef",
        "pollingInterval",
        "minReplicaCount",
        "maxReplicaCount",
        "fallback",
        "advanced",
        "triggers",
    }


def test_keda_counts_what_is_queued_and_what_runs() -> None:
    query = TRIGGER["metadata"]["query"]

    assert TRIGGER["type"] == "prometheus"
    assert TRIGGER["metricType"] == "AverageValue"  # of which each worker gets its share: the threshold
    assert metrics(query) == {"penstock_tasks_queued", "penstock_tasks_running"} <= NAMES
    assert not misused(query)


def test_a_workers_share_is_its_slots() -> None:
    assert TRIGGER["metadata"]["threshold"] == container(WORKER)["resources"]["limits"]["cpu"]


def test_keda_takes_every_value_as_a_string() -> None:
    assert all(isinstance(value, str) for value in TRIGGER["metadata"].values())


def test_keda_counts_one_installation() -> None:
    (kustomization,) = documents(EXAMPLE / "kustomization.yaml")

    assert TRIGGER["metadata"]["query"].count(f'{{namespace="{kustomization["namespace"]}"}}') == 2


def test_no_answer_is_not_taken_for_nothing_to_do() -> None:
    assert TRIGGER["metadata"]["ignoreNullValues"] == "false"
    assert SCALED["fallback"]["behavior"] == "currentReplicasIfHigher"
    assert SCALED["fallback"]["replicas"] >= SCALED["minReplicaCount"] >= 1


def test_workers_go_one_by_one_with_the_time_to_drain() -> None:
    down = SCALED["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    (policy,) = down["policies"]

    assert down["stabilizationWindowSeconds"] >= 300
    assert policy["value"] == 1
    assert policy["periodSeconds"] >= pod(WORKER)["terminationGracePeriodSeconds"]
    assert policy["periodSeconds"] > float(variables(WORKER)["PENSTOCK_DRAIN_SECONDS"])


def test_prometheus_scrapes_every_api_pod_with_a_key() -> None:
    (endpoint,) = MONITOR["podMetricsEndpoints"]

    assert the("PodMonitor", "penstock-api")["apiVersion"] == "monitoring.coreos.com/v1"
    assert endpoint["port"] == container(API)["ports"][0]["name"]
    assert endpoint["path"] == "/metrics"
    assert endpoint["authorization"] == {"type": "Bearer", "credentials": {"name": "penstock-prometheus", "key": "key"}}


def test_the_job_is_what_the_alert_rules_ask_for() -> None:
    labels = API["spec"]["template"]["metadata"]["labels"]

    assert labels[MONITOR["jobLabel"]] == "penstock"


def test_an_autoscaler_scales_the_api() -> None:
    found = the("HorizontalPodAutoscaler", "penstock-api")["spec"]

    assert found["scaleTargetRef"]["name"] == API["metadata"]["name"]
    assert found["minReplicas"] == API["spec"]["replicas"]
