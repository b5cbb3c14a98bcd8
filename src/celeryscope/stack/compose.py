"""compose.yaml: the services, in the order in which they start."""

from __future__ import annotations

from collections.abc import Callable

from celeryscope.stack.choice import HOST, SERVICES, Choice
from celeryscope.stack.images import CELERYSCOPE, IMAGES
from celeryscope.stack.text import fill

SHOP = "celeryscope.demo.shop.project"
SHOP_QUEUES = "checkout,media,backoffice"
SHOP_RATE = "0.25"  # about five tasks a second: enough to see, and quiet on a laptop

_HEAD = """\
# Celery and its monitoring, written by `celeryscope stack`. It is yours: change what you like.
#
#   docker compose up --detach --wait    start it, and wait until everything is healthy
#   docker compose ps                    what runs, and how it is
#   docker compose logs --follow worker  what one service says
#   docker compose down                  stop it; what it knows stays in the volumes
#
# Passwords come from .env. Ports are published on 127.0.0.1 only; README.md has the addresses.

# What every service has.
x-service: &service
  restart: unless-stopped
  init: true
  networks: [celery]
  read_only: true  # data goes to volumes, the rest to /tmp
  tmpfs: ["/tmp:size=64m"]
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  logging:
    driver: json-file
    options: {max-size: 10m, max-file: "3"}

x-health: &health
  interval: 10s
  timeout: 5s
  retries: 3
  start_period: 30s

"""

_IMAGE = """\
# Built from ./celeryscope, once for all that run it.
x-celeryscope: &celeryscope
  image: %{image}
  build:
    context: ./celeryscope
    args: [PIP_NO_INDEX, PIP_INDEX_URL]

"""

_OWN_REDIS = """\
x-broker: &broker
  CELERY_BROKER_URL: "redis://:${REDIS_PASSWORD:?is not in .env}@redis:6379/0"

"""

_OWN_BROKER = """\
# Yours; the URL is in .env, with its password.
x-broker: &broker
  CELERY_BROKER_URL: ${CELERY_BROKER_URL:?is not in .env}

"""

_REDIS = """\
  redis:
    <<: *service
    image: %{image}
    user: redis
    # The configuration goes in through a pipe: as an option, `ps` would show the password.
    command:
      - sh
      - -c
      - |
        exec redis-server - <<END
        bind 0.0.0.0
        port 6379
        requirepass "$$REDIS_PASSWORD"
        dir /data
        appendonly yes
        # Full, it refuses new tasks; nothing that waits is thrown away.
        maxmemory 384mb
        maxmemory-policy noeviction
        END
    environment:
      REDIS_PASSWORD: ${REDIS_PASSWORD:?is not in .env}
    volumes: ["redis-data:/data"]
    healthcheck:
      <<: *health
      test: ["CMD-SHELL", 'REDISCLI_AUTH="$$REDIS_PASSWORD" redis-cli ping | grep -q PONG']
      interval: 5s
    deploy: {resources: {limits: {cpus: "1", memory: 512M, pids: 100}}}
"""

_POSTGRES = """\
  postgres:
    <<: *service
    image: %{image}
    user: postgres
    tmpfs: ["/tmp:size=64m", "/var/run/postgresql:size=1m,mode=1777"]
    shm_size: 128mb
    environment:
      POSTGRES_USER: celery
      POSTGRES_DB: celery
      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?is not in .env}
    volumes: ["postgres-data:/var/lib/postgresql/data"]
    healthcheck:
      <<: *health
      test: [CMD, pg_isready, --username=celery, --dbname=celery, --host=127.0.0.1]
      interval: 5s
    deploy: {resources: {limits: {cpus: "1", memory: 512M, pids: 200}}}
"""

_CONSOLE = """\
  celeryscope:
    <<: [*service, *celeryscope]
    command: [celeryscope, serve, --address=0.0.0.0, --port=5555, --data-dir=/var/lib/celeryscope]
    environment:
      <<: *broker
      # The name that Prometheus calls it by. Under any other than this, localhost and 127.0.0.1 it
      # refuses a request: a web page cannot point a name of its own to the published port.
      CELERYSCOPE_ALLOWED_HOSTS: celeryscope
      # The page and the API ask for it; /metrics stays open for Prometheus. Others get in by
      #   docker compose exec celeryscope celeryscope user --data-dir /var/lib/celeryscope add NAME
      CELERYSCOPE_BASIC_AUTH: admin:${CELERYSCOPE_PASSWORD:?is not in .env}
      # Where people's browsers reach it: alerts and dashboards link there.
      CELERYSCOPE_EXTERNAL_URL: http://localhost:${PORT_CELERYSCOPE:-5555}
%{result_backend}\
%{grafana_url}\
    ports: ["127.0.0.1:${PORT_CELERYSCOPE:-5555}:5555"]
    # The history of tasks, users, tokens, sessions and the audit trail.
    volumes: ["celeryscope-data:/var/lib/celeryscope"]
%{extra_hosts}\
%{depends_on}\
    healthcheck:
      <<: *health
      test:
        - CMD
        - python
        - -ISc
        - |
          import http.client
          console = http.client.HTTPConnection("127.0.0.1", 5555, timeout=4)
          console.request("GET", "/-/healthy")
          raise SystemExit(console.getresponse().status != 200)
    deploy: {resources: {limits: {cpus: "1", memory: 1G, pids: 100}}}
"""

_GRAFANA_URL = """\
      CELERYSCOPE_GRAFANA_URL: http://localhost:${PORT_GRAFANA:-3000}
"""

_SHOP_WORKER = """\
  # The example: a web shop's tasks, which Celeryscope brings along. Your project takes its place
  # with `celeryscope stack . --project-image IMAGE --project-app APP`.
  worker:
    <<: [*service, *celeryscope]
    # For several (--scale worker=3) end the name in %%h, which is the container's.
    command: [celery, --app=%{app}, worker, --hostname=celery@worker, "--queues=%{queues}", --concurrency=4, --loglevel=INFO]
    environment: &project
      <<: *broker
      CELERY_RESULT_BACKEND: "redis://:${REDIS_PASSWORD:?is not in .env}@redis:6379/0"
%{depends_on}\
    stop_grace_period: 1m  # time for running tasks to end
    healthcheck:
      <<: *health
      test: [CMD, celery, --app=%{app}, inspect, ping, --destination=celery@worker, --timeout=5]
      interval: 30s
      timeout: 20s
      start_period: 1m
    deploy: {resources: {limits: {cpus: "1", memory: 512M, pids: 200}}}
"""

_SHOP_BEAT = """\
  beat:
    <<: [*service, *celeryscope]
    command: [celery, --app=%{app}, beat, --scheduler=celery.beat.Scheduler, --pidfile=/tmp/beat.pid, --loglevel=INFO]
    environment: *project
%{depends_on}\
    # It has no port to ask: this says that it has started and lives.
    healthcheck:
      <<: *health
      test: ["CMD-SHELL", 'kill -0 "$$(cat /tmp/beat.pid)"']
    deploy: {resources: {limits: {cpus: "0.5", memory: 256M, pids: 50}}}
"""

_SHOP_TRAFFIC = """\
  # What keeps the example busy.
  traffic:
    <<: [*service, *celeryscope]
    command: [python, -m, celeryscope.demo.traffic, --rate=%{rate}]
    environment: *project
%{depends_on}\
    # It can reach the broker with its password.
    healthcheck:
      <<: *health
      test: [CMD, python, -c, "from celeryscope.demo.traffic import backlog; backlog()"]
      interval: 30s
      timeout: 20s
    deploy: {resources: {limits: {cpus: "0.5", memory: 256M, pids: 50}}}
"""

_PROJECT_WORKER = """\
  worker:
    <<: *service
    image: %{image}
    # An image that was not made for it may write to its own files and begin as root: true and
    # [ALL], as everything else here has it, are better where they work.
    read_only: false
    tmpfs: []
    cap_drop: []
    # For several (--scale worker=3) end the name in %%h, which is the container's.
    command: [celery, %{app_option}worker, --hostname=celery@worker, --concurrency=4, --loglevel=INFO]
    # They go before what the project's own settings say. Take out the result backend if yours is
    # another, such as django-db.
    environment: &project
      <<: *broker
%{result_backend}\
%{database_url}\
%{extra_hosts}\
%{depends_on}\
    stop_grace_period: 1m  # time for running tasks to end
    healthcheck:
      <<: *health
      test: [CMD, celery, %{app_option}inspect, ping, --destination=celery@worker, --timeout=5]
      interval: 30s
      timeout: 20s
      start_period: 1m
    deploy: {resources: {limits: {cpus: "1", memory: 1G, pids: 200}}}
"""

_PROJECT_BEAT = """\
  beat:
    <<: *service
    image: %{image}
    read_only: false
    cap_drop: []
    # One only: two would send everything twice.
    command: [celery, %{app_option}beat, --schedule=/tmp/beat-schedule, --pidfile=/tmp/beat.pid, --loglevel=INFO]
    environment:%{environment}
%{extra_hosts}\
%{depends_on}\
    # It has no port to ask: this says that it has started and lives.
    healthcheck:
      <<: *health
      test: ["CMD-SHELL", 'kill -0 "$$(cat /tmp/beat.pid)"']
    deploy: {resources: {limits: {cpus: "0.5", memory: 512M, pids: 50}}}
"""

_RESULT_BACKEND = """\
      CELERY_RESULT_BACKEND: "redis://:${REDIS_PASSWORD:?is not in .env}@redis:6379/0"
"""

_DATABASE_URL = """\
      DATABASE_URL: "postgresql://celery:${POSTGRES_PASSWORD:?is not in .env}@postgres:5432/celery"
"""

_FLOWER = """\
  flower:
    <<: *service
    image: %{image}
    command: [celery, flower, --address=0.0.0.0, --port=5555]
    environment:
      <<: *broker
      # Its pages and its API ask for it; /metrics stays open for Prometheus.
      FLOWER_BASIC_AUTH: admin:${FLOWER_PASSWORD:?is not in .env}
    ports: ["127.0.0.1:${PORT_FLOWER:-5566}:5555"]
%{extra_hosts}\
%{depends_on}\
    healthcheck:
      <<: *health
      test: [CMD, wget, -q, --spider, "http://127.0.0.1:5555/healthcheck"]
    # It keeps up to 100,000 tasks in memory.
    deploy: {resources: {limits: {cpus: "1", memory: 1G, pids: 100}}}
"""

_PROMETHEUS = """\
  prometheus:
    <<: *service
    image: %{image}
    command:
      - --config.file=/etc/prometheus/prometheus.yml
      - --storage.tsdb.path=/prometheus
      # Whichever is reached first.
      - --storage.tsdb.retention.time=15d
      - --storage.tsdb.retention.size=5GB
      - --web.listen-address=0.0.0.0:9090
      - --web.external-url=http://localhost:${PORT_PROMETHEUS:-9090}
      # POST /-/reload. Whoever reaches the port can also stop it: it is for this machine only.
      - --web.enable-lifecycle
    ports: ["127.0.0.1:${PORT_PROMETHEUS:-9090}:9090"]
    volumes: ["./prometheus:/etc/prometheus:ro,z", "prometheus-data:/prometheus"]
    # Started, not healthy: it is there to tell when they are not.
%{depends_on}\
    healthcheck:
      <<: *health
      test: [CMD, wget, -q, --spider, "http://127.0.0.1:9090/-/ready"]
    deploy: {resources: {limits: {cpus: "1", memory: 1G, pids: 200}}}
"""

_ALERTMANAGER = """\
  alertmanager:
    <<: *service
    image: %{image}
    command:
      - --config.file=/etc/alertmanager/alertmanager.yml
      - --storage.path=/alertmanager
      - --web.listen-address=0.0.0.0:9093
      - --web.external-url=http://localhost:${PORT_ALERTMANAGER:-9093}
      - --cluster.listen-address=  # there is one only
    ports: ["127.0.0.1:${PORT_ALERTMANAGER:-9093}:9093"]
    volumes: ["./alertmanager:/etc/alertmanager:ro,z", "alertmanager-data:/alertmanager"]
    healthcheck:
      <<: *health
      test: [CMD, wget, -q, --spider, "http://127.0.0.1:9093/-/ready"]
    deploy: {resources: {limits: {cpus: "0.5", memory: 128M, pids: 100}}}
"""

_PUSHGATEWAY = """\
  pushgateway:
    <<: *service
    image: %{image}
    command:
      - --persistence.file=/pushgateway/metrics
      - --web.listen-address=0.0.0.0:9091
    ports: ["127.0.0.1:${PORT_PUSHGATEWAY:-9091}:9091"]
    volumes: ["pushgateway-data:/pushgateway"]
    healthcheck:
      <<: *health
      test: [CMD, wget, -q, --spider, "http://127.0.0.1:9091/-/ready"]
    deploy: {resources: {limits: {cpus: "0.5", memory: 128M, pids: 100}}}
"""

_GRAFANA = """\
  grafana:
    <<: *service
    image: %{image}
    environment:
      # Read at its first start; later it is changed in Grafana: see README.md.
      GF_SECURITY_ADMIN_USER: admin
      GF_SECURITY_ADMIN_PASSWORD: ${GRAFANA_PASSWORD:?is not in .env}
      GF_SECURITY_SECRET_KEY: ${GRAFANA_SECRET_KEY:?is not in .env}
      GF_SERVER_ROOT_URL: http://localhost:${PORT_GRAFANA:-3000}
      GF_USERS_ALLOW_SIGN_UP: "false"
%{anonymous}\
      GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH: /etc/grafana/dashboards/overview.json
      # It calls nobody.
      GF_ANALYTICS_REPORTING_ENABLED: "false"
      GF_ANALYTICS_CHECK_FOR_UPDATES: "false"
      GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES: "false"
      GF_ANALYTICS_FEEDBACK_LINKS_ENABLED: "false"
      GF_NEWS_NEWS_FEED_ENABLED: "false"
      GF_SECURITY_DISABLE_GRAVATAR: "true"
      GF_SNAPSHOTS_EXTERNAL_ENABLED: "false"
      # The image brings the Prometheus data source as a plugin. Updating it in place ends the old
      # one first, and on a root that cannot be written to no new one comes: no data anywhere.
      GF_PLUGINS_PREINSTALL_AUTO_UPDATE: "false"
      GF_PLUGINS_PREINSTALL_DISABLED: "true"
    ports: ["127.0.0.1:${PORT_GRAFANA:-3000}:3000"]
    volumes:
      - ./grafana/provisioning/datasources:/etc/grafana/provisioning/datasources:ro,z
      - ./grafana/provisioning/dashboards:/etc/grafana/provisioning/dashboards:ro,z
      - ./grafana/provisioning/alerting:/etc/grafana/provisioning/alerting:ro,z
      - ./grafana/dashboards:/etc/grafana/dashboards:ro,z
      - grafana-data:/var/lib/grafana
%{depends_on}\
    healthcheck:
      <<: *health
      test: [CMD, wget, -q, --spider, "http://127.0.0.1:3000/api/health"]
      start_period: 1m
    deploy: {resources: {limits: {cpus: "1", memory: 1G, pids: 200}}}
"""

_ANONYMOUS = """\
      # Whoever reaches the port may look, without a login.
      GF_AUTH_ANONYMOUS_ENABLED: "true"
      GF_AUTH_ANONYMOUS_ORG_ROLE: Viewer
"""

_TAIL = """\
networks:
  celery:

volumes:
%{volumes}"""

#: What each service's data is kept in.
VOLUMES = {
    "redis": "redis-data",
    "postgres": "postgres-data",
    "celeryscope": "celeryscope-data",
    "prometheus": "prometheus-data",
    "alertmanager": "alertmanager-data",
    "pushgateway": "pushgateway-data",
    "grafana": "grafana-data",
}


def compose_yaml(choice: Choice) -> str:
    services = [_SERVICE_TEXTS[name](choice) for name in SERVICES if name in choice]
    volumes = [f"  {VOLUMES[name]}:\n" for name in SERVICES if name in choice and name in VOLUMES]
    return (
        _HEAD
        + fill(_IMAGE, image=CELERYSCOPE)
        + (_OWN_REDIS if "redis" in choice else _OWN_BROKER)
        + "services:\n"
        + "\n".join(services)
        + "\n"
        + fill(_TAIL, volumes="".join(volumes))
    )


def _depends_on(choice: Choice, *others: str, condition: str = "service_healthy") -> str:
    """Begin after these, as far as they are part of the stack."""
    there = [f"      {name}: {{condition: {condition}}}\n" for name in others if name in choice]
    return "    depends_on:\n" + "".join(there) if there else ""


def _extra_hosts(choice: Choice) -> str:
    """On Linux, the name of the machine has to be asked for."""
    wanted = choice.broker_is_on_this_machine
    return f'    extra_hosts: ["{HOST}:host-gateway"]\n' if wanted else ""


def _plain(text: str, service: str) -> Callable[[Choice], str]:
    """A service that needs nothing but its image."""
    return lambda _choice: fill(text, image=IMAGES[service])


def _console(choice: Choice) -> str:
    return fill(
        _CONSOLE,
        result_backend=_RESULT_BACKEND if "redis" in choice else "",
        grafana_url=_GRAFANA_URL if "grafana" in choice else "",
        extra_hosts=_extra_hosts(choice),
        depends_on=_depends_on(choice, "redis"),
    )


def _database_url(choice: Choice) -> str:
    return _DATABASE_URL if "postgres" in choice else ""


def _worker(choice: Choice) -> str:
    if not choice.project_image:
        return fill(
            _SHOP_WORKER,
            app=SHOP,
            queues=SHOP_QUEUES,
            depends_on=_depends_on(choice, "redis"),
        )
    return fill(
        _PROJECT_WORKER,
        image=choice.project_image,
        app_option=_app_option(choice),
        result_backend=_RESULT_BACKEND if "redis" in choice else "",
        database_url=_database_url(choice),
        extra_hosts=_extra_hosts(choice),
        depends_on=_depends_on(choice, "redis", "postgres"),
    )


def _beat(choice: Choice) -> str:
    if not choice.project_image:
        return fill(_SHOP_BEAT, app=SHOP, depends_on=_depends_on(choice, "redis"))
    environment = " *project"
    if "worker" not in choice:
        result_backend = _RESULT_BACKEND if "redis" in choice else ""
        environment = "\n      <<: *broker\n" + result_backend + _database_url(choice)
    return fill(
        _PROJECT_BEAT,
        image=choice.project_image,
        app_option=_app_option(choice),
        environment=environment.rstrip("\n"),
        extra_hosts=_extra_hosts(choice),
        depends_on=_depends_on(choice, "redis", "postgres"),
    )


def _app_option(choice: Choice) -> str:
    """Without it, Celery takes the app that the image's variable APP names."""
    return f"--app={choice.project_app}, " if choice.project_app else ""


def _traffic(choice: Choice) -> str:
    return fill(_SHOP_TRAFFIC, rate=SHOP_RATE, depends_on=_depends_on(choice, "redis"))


def _flower(choice: Choice) -> str:
    return fill(
        _FLOWER,
        image=IMAGES["flower"],
        extra_hosts=_extra_hosts(choice),
        depends_on=_depends_on(choice, "redis"),
    )


def _prometheus(choice: Choice) -> str:
    others = ("celeryscope", "flower", "alertmanager", "pushgateway")
    return fill(
        _PROMETHEUS,
        image=IMAGES["prometheus"],
        depends_on=_depends_on(choice, *others, condition="service_started"),
    )


def _grafana(choice: Choice) -> str:
    return fill(
        _GRAFANA,
        image=IMAGES["grafana"],
        anonymous=_ANONYMOUS if choice.anonymous else "",
        depends_on=_depends_on(choice, "prometheus"),
    )


_SERVICE_TEXTS: dict[str, Callable[[Choice], str]] = {
    "redis": _plain(_REDIS, "redis"),
    "postgres": _plain(_POSTGRES, "postgres"),
    "celeryscope": _console,
    "worker": _worker,
    "beat": _beat,
    "traffic": _traffic,
    "flower": _flower,
    "prometheus": _prometheus,
    "alertmanager": _plain(_ALERTMANAGER, "alertmanager"),
    "pushgateway": _plain(_PUSHGATEWAY, "pushgateway"),
    "grafana": _grafana,
}
