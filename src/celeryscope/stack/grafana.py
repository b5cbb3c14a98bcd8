"""grafana/provisioning: data sources, dashboards, and an example of contact points."""

from __future__ import annotations

from celeryscope import dashboards
from celeryscope.stack.choice import Choice
from celeryscope.stack.prometheus import SCRAPE_INTERVAL
from celeryscope.stack.text import fill

FLOWERS_DASHBOARD = "flower.json"

_DATASOURCES = """\
# Grafana's data sources, written by `celeryscope stack`; read when Grafana starts.

apiVersion: 1

datasources:
  - name: Prometheus
    uid: celeryscope-prometheus  # the dashboards and links know it by this
    type: prometheus
    access: proxy
    url: http://prometheus:9090
    isDefault: true
    editable: false
    jsonData:
      httpMode: POST
      timeInterval: %{interval}  # as Prometheus scrapes: a shorter step would show holes
      prometheusType: Prometheus
      manageAlerts: true
"""

_ALERTMANAGER = """\
      alertmanagerUid: celeryscope-alertmanager

  - name: Alertmanager
    uid: celeryscope-alertmanager
    type: alertmanager
    access: proxy
    url: http://alertmanager:9093
    editable: false
    jsonData:
      implementation: prometheus
      handleGrafanaManagedAlerts: false
"""

DASHBOARDS_YML = """\
# Where Grafana finds its dashboards, written by `celeryscope stack`.

apiVersion: 1

providers:
  - name: celeryscope
    folder: Celeryscope
    type: file
    # The files are the truth: a change in the browser is saved as a copy, not over them.
    allowUiUpdates: false
    disableDeletion: true
    updateIntervalSeconds: 30
    options:
      path: /etc/grafana/dashboards
"""

CONTACT_POINTS_EXAMPLE = """\
# Contact points for alert rules that Grafana itself evaluates. Those of Celeryscope are
# evaluated by Prometheus and sent by Alertmanager, and need none of this.
#
# To use it, copy it to contact-points.yml in this folder and restart Grafana:
#
#   docker compose restart grafana
#
# In these files $NAME stands for a variable of Grafana's environment, so write `$$` for a dollar
# sign of your own, as in {{ $$labels.job }}.

apiVersion: 1

contactPoints:
  - orgId: 1
    name: celery on-call
    receivers:
      - uid: celeryscope-webhook
        type: webhook
        settings:
          url: https://example.com/alerts
          httpMethod: POST
        disableResolveMessage: false

# Which alert goes to whom. Careful: a `policies` section REPLACES the whole notification tree of
# the organisation, also what others made in the browser.
#
# policies:
#   - orgId: 1
#     receiver: celery on-call
#     group_by: [alertname, job]
"""


def datasources_yml(choice: Choice) -> str:
    text = fill(_DATASOURCES, interval=SCRAPE_INTERVAL)
    return text + _ALERTMANAGER if "alertmanager" in choice else text


def dashboard_files(choice: Choice) -> dict[str, bytes]:
    return {
        name: content
        for name, content in dashboards.builtin().items()
        if name != FLOWERS_DASHBOARD or "flower" in choice
    }
