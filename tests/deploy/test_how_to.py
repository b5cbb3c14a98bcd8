"""The guides about deploy/ and about a Prometheus that is there: every block is tried or checked."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from celeryscope import __version__, dashboards
from celeryscope.cli import main
from celeryscope.config import SETTINGS
from celeryscope.config.settings import BY_NAME
from celeryscope.stack import choose, stack_files
from celeryscope.web.body import MAX_BODY_BYTES
from celeryscope.web.connection import Limits
from tests.conftest import REPOSITORY, free_port, need_binary, running
from tests.deploy.test_images import OURS, copied, lines
from tests.deploy.test_kubernetes import EXAMPLE, one
from tests.deploy.test_systemd import UNIT, unit
from tests.examples.guide import Block, blocks
from tests.integration.watching import Console

HOW_TO = REPOSITORY / "docs" / "how-to"
EXISTING = HOW_TO / "existing-prometheus-and-grafana.md"
DEPLOY = HOW_TO / "deploy.md"
PROXY = HOW_TO / "behind-a-proxy.md"
GUIDES = [EXISTING, DEPLOY, PROXY, REPOSITORY / "examples/django/README.md"]
MIB = 2**20
VARIABLES = {setting.env for setting in SETTINGS}


def of(guide: Path, language: str) -> list[Block]:
    return [block for block in blocks(guide) if block.language == language]


def commands(guide: Path, program: str) -> list[list[str]]:
    """The command lines of a program in a guide, as words, each part of a pipe for itself."""
    parts = (
        shlex.split(part)
        for block in of(guide, "sh")
        for command in block.commands()
        for part in command.split(" | ")
    )
    return [words for words in parts if words[0].rpartition("/")[2] == program]


def test_every_block_is_of_a_kind_that_is_checked_here() -> None:
    for guide in (EXISTING, DEPLOY):
        assert {block.language for block in blocks(guide)} <= {"sh", "yaml"}
        assert not [block for block in blocks(guide) if block.mark]
    programs = {
        shlex.split(part)[0]
        for guide in (EXISTING, DEPLOY)
        for block in of(guide, "sh")
        for command in block.commands()
        for part in command.split(" | ")
    }
    assert programs == {
        "celeryscope", "docker", "export", "install", "kubectl", "ls", "promtool", "python3",
        "systemctl", "systemd-run", "/opt/celeryscope/bin/pip",
    }  # fmt: skip


# --------------------------------------------------------------------------- Prometheus


def scraping() -> list[Block]:
    return [b for b in of(EXISTING, "yaml") if re.match(r"scrape_configs|rule_files", b.text)]


@pytest.mark.parametrize("block", scraping(), ids=lambda block: block.text.split(":")[0])
def test_prometheus_takes_each_configuration(block: Block, tmp_path: Path) -> None:
    promtool = need_binary("promtool", debian="prometheus")
    file = tmp_path / "prometheus.yml"
    file.write_text(block.text)
    # Only the syntax: the password is in a file that is somewhere else.
    done = subprocess.run(
        [promtool, "check", "config", "--syntax-only", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def prometheus(served: Console, tmp_path: Path) -> Iterator[int]:
    """One with the guide's first scrape job and its rules, beside a job of its own."""
    program = need_binary("prometheus", debian="prometheus")
    port = free_port()
    rules = tmp_path / "rules"
    rules.mkdir()
    for name, text in dashboards.rules().items():
        (rules / name).write_bytes(text)
    scrape, *_, rule_files = (yaml.safe_load(scraping()[i].text) for i in (0, 1, 2))
    (job,) = scrape["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["localhost:5555"]}]
    job["static_configs"] = [{"targets": [served.url.removeprefix("http://")]}]
    own = {"job_name": "prometheus", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    told = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "400ms"},
        "scrape_configs": [job, own],
        "rule_files": [str(rules / Path(where).name) for where in rule_files["rule_files"]],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(told))

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2):
                return True
        except OSError:
            return False

    with running(
        [program, f"--config.file={tmp_path / 'prometheus.yml'}",
         f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address=127.0.0.1:{port}"],
        log=tmp_path / "prometheus.log",
        ready=ready,
    ):  # fmt: skip
        yield port


def test_each_check_prints_a_line_where_it_works(prometheus: int) -> None:
    checks = commands(EXISTING, "promtool")
    assert len(checks) == 3
    deadline = time.monotonic() + 30
    while checks:
        words = [word.replace("localhost:9090", f"127.0.0.1:{prometheus}") for word in checks[0]]
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=20)
        if done.stdout.strip():
            checks.pop(0)
        else:
            assert time.monotonic() < deadline, words
            time.sleep(0.2)


# ------------------------------------------------------------------------------ Grafana


def written(name: str) -> Any:
    """A file of Grafana's provisioning as the stack writes it, where Grafana's types are tested."""
    return yaml.safe_load(stack_files(choose())[f"grafana/provisioning/{name}/celeryscope.yml"])


@pytest.mark.parametrize(
    ("kind", "folder"), [("providers", "dashboards"), ("datasources", "datasources")]
)
def test_grafanas_files_say_what_the_stacks_say(kind: str, folder: str) -> None:
    (ours,) = (t for b in of(EXISTING, "yaml") if kind in (t := yaml.safe_load(b.text)))
    stacks = written(folder)
    assert ours["apiVersion"] == stacks["apiVersion"]
    (one_of_ours,) = ours[kind]
    known = stacks[kind][0]
    assert one_of_ours.keys() <= known.keys()
    for inner in ("options", "jsonData"):
        assert one_of_ours.get(inner, {}).keys() <= known.get(inner, {}).keys()
    assert one_of_ours["type"] == known["type"]
    if kind == "providers":
        assert one_of_ours["folder"] == known["folder"]
    else:
        interval = yaml.safe_load(stack_files(choose())["prometheus/prometheus.yml"])["global"]
        assert one_of_ours["jsonData"]["timeInterval"] == interval["scrape_interval"]


def test_the_files_to_copy_are_written(tmp_path: Path) -> None:
    (words,) = commands(EXISTING, "celeryscope")
    subprocess.run(
        [sys.executable, "-m", *words], cwd=tmp_path, check=True, capture_output=True, timeout=30
    )
    for _, *folders in commands(EXISTING, "ls"):
        for folder in folders:
            assert any((tmp_path / folder).iterdir()), folder
    (made,) = (w for w in commands(EXISTING, "kubectl") if w[1] == "create")
    source = next(word.partition("=")[2] for word in made if word.startswith("--from-file="))
    total = sum(file.stat().st_size for file in (tmp_path / source).iterdir())
    # What Kubernetes lets into a ConfigMap; kubectl's annotation takes a quarter of it.
    assert 256 * 1024 < total < MIB
    assert "--server-side" in commands(EXISTING, "kubectl")[-1]


def test_what_is_exported_are_settings() -> None:
    names = [words[1].partition("=")[0] for words in commands(EXISTING, "export")]
    assert names == ["CELERYSCOPE_EXTERNAL_URL", "CELERYSCOPE_GRAFANA_URL"]
    assert set(names) <= VARIABLES


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_every_option_and_variable_of_ours_exists(guide: Path) -> None:
    text = guide.read_text()
    options = {
        name
        for command in main.commands.values()
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
    }
    told = re.findall(r"`(--[a-z-]+)=?[^`]*`", text)
    assert set(told) - {"--publish", "--server-side"} <= options
    assert set(re.findall(r"\bCELERYSCOPE_[A-Z_]+", text)) <= VARIABLES


# ------------------------------------------------------------------------------- deploy


def test_the_container_is_built_and_started_as_the_image_is_made() -> None:
    build, first, run = commands(DEPLOY, "docker")
    image = one("Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.endswith(f":{__version__}")
    assert build[build.index("--tag") + 1] == image
    assert build[-1] == "."  # the context that .dockerignore and the COPY lines mean
    assert (REPOSITORY / build[build.index("--file") + 1]) == OURS
    assert copied(OURS)
    inside = lines(OURS, "EXPOSE")[0]
    assert run[run.index("--publish") + 1] == f"127.0.0.1:{inside}:{inside}"
    assert run[run.index("--env") + 1].partition("=")[0] in VARIABLES
    for words in (first, run):
        assert words[words.index("--volume") + 1] == f"celeryscope:{lines(OURS, 'VOLUME')[0]}"
    assert first[first.index(image) + 1 :] == ["user", "add", "admin"]
    command, *flags = run[run.index(image) + 1 :]
    options = {name for parameter in main.commands[command].params for name in parameter.opts}
    assert set(flags) <= options


def test_what_kubectl_is_told_is_there() -> None:
    namespace, *secrets, apply, forward = commands(DEPLOY, "kubectl")
    where = one("Deployment")["metadata"]["namespace"]
    assert namespace[-1] == where
    for words in (*secrets, forward):
        assert words[words.index("--namespace") + 1] == where
    told = one("Deployment")["spec"]["template"]["spec"]["containers"][0]["env"]
    asked = [entry["valueFrom"]["secretKeyRef"] for entry in told if "valueFrom" in entry]
    for secret, key in zip(secrets, asked, strict=True):
        assert key["name"] in secret
        assert secret[-1].startswith(f"--from-literal={key['key']}=")
    assert (REPOSITORY / apply[-1] / "kustomization.yaml").is_file()
    service = one("Service", EXAMPLE)
    assert forward[-2] == f"service/{service['metadata']['name']}"
    assert forward[-1].partition(":")[2] == service["spec"]["ports"][0]["name"]


def test_systemd_finds_what_is_installed() -> None:
    for *_, source, target in commands(DEPLOY, "install"):
        assert (REPOSITORY / source).is_file()
        assert target.endswith(Path(source).name.removesuffix(".example"))
    (venv,) = commands(DEPLOY, "python3")
    assert unit()["ExecStart"].startswith(f"{venv[-1]}/bin/celeryscope ")
    targets = {words[-1] for words in commands(DEPLOY, "install")}
    assert unit()["EnvironmentFile"] in targets
    assert f"/etc/systemd/system/{UNIT.name}" in targets
    assert commands(DEPLOY, "systemctl")[-1][-1] == UNIT.stem
    (first,) = commands(DEPLOY, "systemd-run")
    given = {word.partition("=")[2] for word in first if word.startswith("--property=")}
    own = ("DynamicUser", "StateDirectory", "StateDirectoryMode")
    # The user of a unit without one, but DynamicUser, has its name.
    assert given == {"User=celeryscope", *(f"{name}={unit()[name]}" for name in own)}
    assert unit()["ExecStart"].split()[0] in first
    assert first[first.index("--data-dir") + 1] == f"/var/lib/{unit()['StateDirectory']}"


def test_every_path_of_health_is_answered(served: Console) -> None:
    paths = re.findall(r"^\| `(/[^`]*)` \|", DEPLOY.read_text(), flags=re.MULTILINE)
    assert len(paths) == 3
    for path in paths:
        with urllib.request.urlopen(served.url + path, timeout=10) as answer:
            assert answer.status == 200


# --------------------------------------------------------------------------------- proxies


def test_the_proxies_lead_to_where_the_command_listens() -> None:
    text = PROXY.read_text()
    where = f"127.0.0.1:{BY_NAME['port'].default}"
    assert BY_NAME["address"].default in where
    kinds = {block.language: block.text for block in blocks(PROXY)}
    assert kinds.keys() >= {"nginx", "yaml", "caddyfile"}
    assert all(where in kinds[kind] for kind in ("nginx", "yaml", "caddyfile"))
    (prefix,) = set(re.findall(r"--url-prefix (/\S+)", text))
    assert all(prefix in kinds[kind] for kind in ("nginx", "yaml", "caddyfile"))
    (host,) = set(re.findall(r"--external-url https://([^/\s]+)", text))
    router = yaml.safe_load(kinds["yaml"])["http"]["routers"]["celeryscope"]
    assert router["rule"] == f"Host(`{host}`) && PathPrefix(`{prefix}`)"
    assert kinds["caddyfile"].startswith(f"{host} {{\n")


def test_the_limits_that_are_told_are_those_of_the_server() -> None:
    limits, text = Limits(), DEPLOY.read_text()
    for told in (
        f"{limits.head_bytes // 1024} KiB, {limits.header_lines} headers, ",
        f"headers, {limits.head_seconds:g} seconds",
        f"{MAX_BODY_BYTES // 1024} KiB as a rule, {limits.body_seconds:g} seconds",
        f"not read | {limits.unread_seconds:g} seconds",
        f"without a request | {limits.idle_seconds:g} seconds",
        f"| {limits.connections_of_one_address}; this machine",
        f"{limits.connections:,} connections, and {limits.unread_bytes // MIB} MiB of answers",
    ):
        assert told in text, told


# -------------------------------------------------------------------------------- links


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_every_link_leads_somewhere(guide: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)]+)\)", guide.read_text())
    assert links
    for link in links:
        path, _, anchor = link.partition("#")
        target = (guide.parent / path).resolve() if path else guide
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link
