from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

import celeryscope
from celeryscope.config import SETTINGS, masker
from celeryscope.config.load import names_of
from celeryscope.config.page import page
from celeryscope.config.settings import BY_NAME, GROUPS, MEANINGLESS, Setting
from celeryscope.metrics.catalog import CLIENT_BUCKETS
from tests.conftest import REPOSITORY

# All options of Flower 2.2, from its options.py and from Tornado's log module.
FLOWERS = (
    "address auth auth_provider auto_refresh basic_auth broker_api ca_certs certfile conf "
    "cookie_secret db debug enable_events format_task inspect_timeout keyfile "
    "log_file_max_size log_file_num_backups log_file_prefix log_rotate_interval "
    "log_rotate_mode log_rotate_when log_to_stderr logging max_tasks max_workers "
    "natural_time oauth2_key oauth2_redirect_uri oauth2_secret persistent port "
    "purge_offline_workers read_only state_save_interval task_runtime_metric_buckets "
    "tasks_columns unauthenticated_api unix_socket url_prefix xheaders"
)
# And those that it reads from the environment alone, in its views/auth.py.
VARIABLES = (
    "github_oauth_domain gitlab_auth_allowed_groups gitlab_min_access_level gitlab_oauth_domain "
    "oauth2_okta_base_url"
)


def test_the_reference_page_is_the_table() -> None:
    path = REPOSITORY / "docs" / "reference" / "settings.md"
    assert path.read_text() == page(), "run: make docs"


def test_every_option_of_flower_is_known() -> None:
    assert names_of("flower") == {*FLOWERS.split(), *VARIABLES.split()}


def test_every_default_is_a_value_its_kind_allows() -> None:
    for setting in SETTINGS:
        if setting.default:
            assert setting.kind.parse(setting.default) == setting.default, setting.name


def test_every_sentence_is_one_and_every_group_has_a_place() -> None:
    for setting in SETTINGS:
        assert setting.sentence.endswith("."), setting.name
        assert setting.group in GROUPS


def test_a_name_means_one_thing() -> None:
    names = [s.name for s in SETTINGS]
    names += [alias.name for s in SETTINGS for alias in s.aliases]
    names += [*MEANINGLESS["flower"], *MEANINGLESS["exporter"]]
    assert sorted(names) == sorted(set(names))


def test_every_setting_is_used() -> None:
    # By the composition root, or where it says what the broker's TLS is.
    source = Path(celeryscope.__file__).parent
    text = (source / "app.py").read_text() + (source / "config" / "settings.py").read_text()
    elsewhere = {"config"}  # loading
    unused = [s.name for s in SETTINGS if not _is_read(s, text) and s.name not in elsewhere]
    assert unused == []


def _is_read(setting: Setting, text: str) -> bool:
    return re.search(rf"\b(config|self)\.{setting.name}\b", text) is not None


def test_the_compatible_histograms_have_the_buckets_of_the_clients_library() -> None:
    assert BY_NAME["task_runtime_metric_buckets"].default == CLIENT_BUCKETS


def test_what_matches_is_masked() -> None:
    kind = BY_NAME["mask"].kind
    mask = masker(kind.parse((r"(?<=password=)\S+", r"\b\d{16}\b")))
    assert mask is not None
    assert mask("password=hunter2 card 4111111111111111.") == "password=*** card ***."
    assert masker(()) is None


def test_a_pattern_that_stalls_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mask = masker((re.compile("a"), re.compile("b")))
    assert mask is not None
    clock = iter([0.0, 0.5, 1.0, 4.0])
    monkeypatch.setattr(
        "celeryscope.config.settings.time", SimpleNamespace(monotonic=clock.__next__)
    )
    assert mask("ab") == "******"
    (record,) = caplog.records
    assert (record.pattern, record.seconds, record.chars) == (2, 3.0, 4)  # type: ignore[attr-defined]
