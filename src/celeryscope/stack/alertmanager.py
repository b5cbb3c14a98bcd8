"""alertmanager/alertmanager.yml: which alerts go together, how soon, and where to."""

from __future__ import annotations

from celeryscope.stack.choice import Choice
from celeryscope.stack.text import fill

_CONFIG = """\
# Alertmanager, written by `celeryscope stack`. After a change:
#
#   docker compose exec alertmanager amtool check-config /etc/alertmanager/alertmanager.yml
#   curl -X POST http://localhost:9093/-/reload

route:
  receiver: default
  group_by: [alertname, job]  # one message for ten workers that are down, not ten
  group_wait: 15s             # for others of its group to join the first
  group_interval: 1m          # then news of the group, at most this often
  repeat_interval: 4h         # and a reminder of what still fires
  routes:
    # Somebody should look now.
    - matchers: ['severity="critical"']
      group_wait: 10s
      repeat_interval: 1h
    # Good to know; no reminders during the day.
    - matchers: ['severity="info"']
      repeat_interval: 24h

inhibit_rules:
  # While Celeryscope is down, or cannot see the broker, what it said last proves nothing.
  - source_matchers: ['alertname="CeleryscopeConsoleDown"']
    target_matchers: ['alertname=~"Celeryscope.+"', 'alertname!="CeleryscopeConsoleDown"']
    equal: [job]
  - source_matchers: ['alertname="CeleryscopeBrokerUnreachable"']
    target_matchers:
      - 'alertname=~"Celeryscope.+"'
      - 'alertname!~"CeleryscopeConsoleDown|CeleryscopeBrokerUnreachable"'
    equal: [job]

receivers:
  - name: default
%{receiver}
    # Others. A file that holds a secret belongs beside this one and not into git.
    #
    # slack_configs:
    #   - api_url_file: /etc/alertmanager/slack-url
    #     channel: "#celery"
    #     send_resolved: true
    # email_configs:
    #   - to: oncall@example.com
    #     from: alertmanager@example.com
    #     smarthost: smtp.example.com:587
    #     auth_username: alertmanager@example.com
    #     auth_password_file: /etc/alertmanager/smtp-password
    #     send_resolved: true
"""

_WEBHOOK = """\
    webhook_configs:
      - url: "%{url}"
        send_resolved: true
"""

_NOWHERE = """\
    # It has no destination yet: alerts are seen in Alertmanager and Grafana, and nobody is told.
    #
    # webhook_configs:
    #   - url: https://example.com/alerts
    #     send_resolved: true
"""


def alertmanager_yml(choice: Choice) -> str:
    receiver = fill(_WEBHOOK, url=choice.webhook) if choice.webhook else _NOWHERE
    return fill(_CONFIG, receiver=receiver.rstrip("\n"))
