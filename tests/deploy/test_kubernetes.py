"""deploy/kubernetes: what kubectl would apply is valid, fits together, and gives nobody the keys."""

from __future__ import annotations

import runpy
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import msgspec
import pytest
import yaml

from celeryscope import __version__, dashboards
from celeryscope.config import SETTINGS
from celeryscope.config.settings import BY_NAME
from celeryscope.history.store import MOST_WAITING_BYTES
from tests.conftest import REPOSITORY, need_binary
from tests.deploy.kustomize import Resource, build
from tests.integration.watching import Console

KUBERNETES = REPOSITORY / "deploy" / "kubernetes"
BASE = build(KUBERNETES / "base")
EXAMPLE = build(KUBERNETES / "example")
SECRETS = list(yaml.safe_load_all((KUBERNETES / "base" / "secret.example.yaml").read_text()))
OPERATOR = "monitoring.coreos.com/v1"
MIB = 2**20


def one(kind: str, resources: list[Resource] = EXAMPLE) -> Any:
    (found,) = (resource for resource in resources if resource["kind"] == kind)
    return found


POD = one("Deployment")["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]


def named(resource: Resource) -> str:
    return str(resource["kind"])


# ------------------------------------------------------------------------- is it valid?


@pytest.mark.parametrize("version", ["1.29", "1.37"])
@pytest.mark.parametrize(
    "resource", [*BASE, *(r for r in EXAMPLE if r["apiVersion"] != OPERATOR), *SECRETS], ids=named
)
def test_kubernetes_knows_every_field(resource: Resource, version: str) -> None:
    kubernetes_validate.validate(resource, version, strict=True)


class Strict(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A part of a resource of the Prometheus operator, with those of its fields that we use."""


class Metadata(Strict):
    name: str
    labels: dict[str, str] = {}
    namespace: str = ""


class Selector(Strict):
    match_labels: dict[str, str]


class Endpoint(Strict):
    port: str
    path: str
    interval: str
    scrape_timeout: str


class Monitoring(Strict):
    selector: Selector
    endpoints: list[Endpoint]
    job_label: str


class ServiceMonitor(Strict):
    api_version: str
    kind: str
    metadata: Metadata
    spec: Monitoring


class Rule(Strict):
    expr: str
    record: str = ""
    alert: str = ""
    for_: str = msgspec.field(default="", name="for")
    keep_firing_for: str = msgspec.field(default="", name="keep_firing_for")
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Group(Strict):
    name: str
    rules: list[Rule]
    interval: str = ""


class Rules(Strict):
    groups: list[Group]


class PrometheusRule(Strict):
    api_version: str
    kind: str
    metadata: Metadata
    spec: Rules


def test_the_operator_knows_every_field() -> None:
    kinds: dict[str, type[Strict]] = {
        "ServiceMonitor": ServiceMonitor,
        "PrometheusRule": PrometheusRule,
    }
    its = [resource for resource in EXAMPLE if resource["apiVersion"] == OPERATOR]
    assert {resource["kind"] for resource in its} == kinds.keys()
    for resource in its:
        msgspec.convert(resource, kinds[resource["kind"]])


def test_prometheus_takes_the_rules(tmp_path: Path) -> None:
    promtool = need_binary("promtool", debian="prometheus")
    rules = tmp_path / "rules.yml"
    rules.write_text(yaml.safe_dump(one("PrometheusRule")["spec"]))
    done = subprocess.run(
        [promtool, "check", "rules", str(rules)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_prometheusrule_is_made_from_the_rules_as_they_are() -> None:
    made = runpy.run_path(str(KUBERNETES / "prometheusrule.py"))
    assert made["WRITTEN"].read_text() == made["prometheusrule"](dashboards.rules()), (
        "python deploy/kubernetes/prometheusrule.py"
    )
    groups = [
        group["name"]
        for text in dashboards.rules().values()
        for group in yaml.safe_load(text)["groups"]
    ]
    written = [group["name"] for group in one("PrometheusRule")["spec"]["groups"]]
    assert sorted(written) == sorted(groups)


def test_the_base_needs_no_operator() -> None:
    assert not [resource for resource in BASE if resource["apiVersion"] == OPERATOR]


# ------------------------------------------------------------------- does it fit together?


def test_every_selector_meets_the_pod_or_the_service() -> None:
    labels = POD["metadata"]["labels"].items()
    for selector in (
        one("Deployment")["spec"]["selector"]["matchLabels"],
        one("Service")["spec"]["selector"],
        one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector
        assert selector.items() <= labels
    service = one("Service")["metadata"]["labels"]
    monitor = one("ServiceMonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service.items()
    # The rules and dashboards know the job by this name.
    assert service[monitor["jobLabel"]] == "celeryscope"


def test_every_port_is_named_as_the_one_it_means() -> None:
    (inside,) = CONTAINER["ports"]
    (service,) = one("Service")["spec"]["ports"]
    assert inside["containerPort"] == BY_NAME["port"].default
    assert service["targetPort"] == inside["name"]
    assert {e["port"] for e in one("ServiceMonitor")["spec"]["endpoints"]} == {service["name"]}
    probes = [CONTAINER[f"{name}Probe"]["httpGet"]["port"] for name in PROBES]
    allowed = [p["port"] for rule in one("NetworkPolicy")["spec"]["ingress"] for p in rule["ports"]]
    assert {*probes, *allowed} == {inside["name"]}


PROBES = ("startup", "readiness", "liveness")


def test_every_path_that_is_asked_for_is_answered(served: Console) -> None:
    paths = {CONTAINER[f"{name}Probe"]["httpGet"]["path"] for name in PROBES}
    assert paths == {"/-/healthy", "/-/ready"}
    for path in paths:
        assert served.text(path).startswith("Celeryscope is ")
    for endpoint in one("ServiceMonitor")["spec"]["endpoints"]:
        assert "\nceleryscope_broker_connected 1\n" in served.text(endpoint["path"])


def test_what_it_is_told_are_settings() -> None:
    config = one("ConfigMap")
    (source,) = CONTAINER["envFrom"]
    assert source["configMapRef"]["name"] == config["metadata"]["name"]
    variables = {*config["data"], *(entry["name"] for entry in CONTAINER["env"])}
    assert variables <= {setting.env for setting in SETTINGS}
    assert CONTAINER["args"] == ["serve"]


def test_what_is_secret_comes_from_the_secrets_that_the_example_shows() -> None:
    asked = {
        entry["name"]: entry["valueFrom"]["secretKeyRef"]
        for entry in CONTAINER["env"]
        if "valueFrom" in entry
    }
    assert asked.keys() == {"CELERYSCOPE_BROKER", "CELERYSCOPE_BASIC_AUTH"}
    told = {secret["metadata"]["name"]: [*secret["stringData"]] for secret in SECRETS}
    assert {key["name"]: [key["key"]] for key in asked.values()} == told
    assert all(BY_NAME[name.removeprefix("CELERYSCOPE_").lower()].secret for name in asked)
    assert "Secret" not in {resource["kind"] for resource in EXAMPLE}
    for path in KUBERNETES.rglob("*.yaml"):
        for line in path.read_text().splitlines():
            for key in asked.values():
                if f"generic {key['name']}" in line:
                    assert f"--from-literal={key['key']}=" in line


def test_what_it_keeps_outlives_the_pod() -> None:
    claim = one("PersistentVolumeClaim")
    (volume,) = POD["spec"]["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    (mount,) = CONTAINER["volumeMounts"]
    (kept,) = (e["value"] for e in CONTAINER["env"] if e["name"] == "CELERYSCOPE_DATA_DIR")
    # Its own directory below: it would not keep users where everybody may write.
    assert Path(kept).parent == Path(mount["mountPath"])


def test_the_volume_has_room_for_the_history_and_more() -> None:
    asked = one("PersistentVolumeClaim")["spec"]["resources"]["requests"]["storage"]
    assert asked.endswith("Gi")
    room = int(asked.removesuffix("Gi")) * 1024 * MIB
    assert room > 1.1 * BY_NAME["history_max_bytes"].default


def test_the_image_is_this_version() -> None:
    assert CONTAINER["image"].rpartition(":")[2] == __version__


def test_no_service_links_make_a_port_of_the_services_address() -> None:
    """Kubernetes sets CELERYSCOPE_PORT=tcp://… for a Service of that name, which is a setting."""
    name = one("Service")["metadata"]["name"].upper()
    assert f"{name}_PORT" in {setting.env for setting in SETTINGS}
    assert POD["spec"]["enableServiceLinks"] is False


def test_there_is_never_more_than_one() -> None:
    deployment = one("Deployment")["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})


def test_the_memory_holds_what_the_settings_allow() -> None:
    limit = CONTAINER["resources"]["limits"]["memory"]
    assert limit.endswith("Mi")
    buffers = BY_NAME["event_buffer_bytes"].default + BY_NAME["max_text_bytes"].default
    buffers += MOST_WAITING_BYTES
    assert int(limit.removesuffix("Mi")) * MIB >= buffers + 256 * MIB


# ------------------------------------------------------------------------- is it closed?


def test_the_pod_is_restricted() -> None:
    """What Kubernetes' Pod Security Standard `restricted` asks, and a root that is not written."""
    pod, container = POD["spec"]["securityContext"], CONTAINER["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert pod["runAsUser"] == pod["runAsGroup"] == pod["fsGroup"] > 0
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["allowPrivilegeEscalation"] is False
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert container["readOnlyRootFilesystem"] is True
    assert not {"hostNetwork", "hostPID", "hostIPC"} & POD["spec"].keys()
    (volume,) = POD["spec"]["volumes"]
    assert sorted(volume) == ["name", "persistentVolumeClaim"]
    mounts = {mount["name"] for mount in CONTAINER["volumeMounts"]}
    assert mounts == {volume["name"] for volume in POD["spec"]["volumes"]}


def test_it_cannot_ask_kubernetes() -> None:
    account = one("ServiceAccount")
    assert POD["spec"]["serviceAccountName"] == account["metadata"]["name"]
    assert account["automountServiceAccountToken"] is False
    assert POD["spec"]["automountServiceAccountToken"] is False


def test_nothing_leads_in_from_outside_but_what_is_named() -> None:
    assert "CELERYSCOPE_INSECURE" not in one("ConfigMap")["data"]
    assert one("Service")["spec"]["type"] == "ClusterIP"
    assert "Ingress" not in {resource["kind"] for resource in EXAMPLE}
    policy = one("NetworkPolicy", BASE)["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    (rule,) = policy["ingress"]
    (who,) = rule["from"]
    assert who["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "prometheus"}
    assert len(one("NetworkPolicy")["spec"]["ingress"]) == 2


@pytest.mark.parametrize("path", sorted(KUBERNETES.rglob("*.yaml")), ids=lambda path: path.name)
def test_every_file_is_part_of_something(path: Path) -> None:
    if path.name in {"kustomization.yaml", "secret.example.yaml"}:
        return
    told = yaml.safe_load((path.parent / "kustomization.yaml").read_text())
    assert path.name in told["resources"]
