"""prometheus/prometheus.yml: who is scraped, which rules hold, who is told."""

from __future__ import annotations

from celeryscope.stack.choice import Choice

SCRAPE_INTERVAL = "15s"

_HEAD = f"""\
# Prometheus, written by `celeryscope stack`. After a change:
#
#   docker compose exec prometheus promtool check config /etc/prometheus/prometheus.yml
#   curl -X POST http://localhost:9090/-/reload

global:
  scrape_interval: {SCRAPE_INTERVAL}  # Grafana is told the same: provisioning/datasources
  evaluation_interval: 15s
  # Names this Prometheus in every alert, once there are several:
  # external_labels:
  #   cluster: production

rule_files:
  - rules/*.yml
"""

_ALERTING = """
alerting:
  alertmanagers:
    - static_configs:
        - targets: ["alertmanager:9093"]
"""

_JOBS = {
    "prometheus": """
  - job_name: prometheus
    static_configs:
      - targets: ["prometheus:9090"]
""",
    "celeryscope": """
  # Celery as Celeryscope sees it. The rules and dashboards know the job by this name.
  - job_name: celeryscope
    static_configs:
      - targets: ["celeryscope:5555"]
""",
    "flower": """
  # The real Flower, beside it; Celeryscope gives metrics of the same names under its own job.
  - job_name: flower
    static_configs:
      - targets: ["flower:5555"]
""",
    "pushgateway": """
  # What short-lived jobs pushed keeps the labels that they gave: job and instance are theirs.
  - job_name: pushgateway
    honor_labels: true
    static_configs:
      - targets: ["pushgateway:9091"]
""",
    "alertmanager": """
  - job_name: alertmanager
    static_configs:
      - targets: ["alertmanager:9093"]
""",
}


def prometheus_yml(choice: Choice) -> str:
    jobs = [job for service, job in _JOBS.items() if service in choice]
    alerting = _ALERTING if "alertmanager" in choice else ""
    return _HEAD + alerting + "\nscrape_configs:" + "".join(jobs)
