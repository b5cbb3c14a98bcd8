from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from celeryscope.config import Config, Given, Loaded, load
from celeryscope.config.settings import Command
from celeryscope.errors import ConfigError


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path


def loaded(
    here: Path,
    *,
    flags: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    app: Iterable[Given] = (),
    command: Command = "scope",
) -> Loaded:
    return load(
        command=command,
        flags=[Given(name, value, f"--{name}") for name, value in (flags or {}).items()],
        env=env or {},
        app=app,
        directory=here,
    )


def config(here: Path, **kwargs: Any) -> Config:
    return loaded(here, **kwargs).config


# ---------------------------------------------------------------- where values come from


def test_a_flag_goes_before_a_variable_before_flowers_before_the_file_before_the_app(
    here: Path,
) -> None:
    (here / "flowerconfig.py").write_text("port = 4\n")
    app = [Given("port", 5, "the app's")]
    env = {"CELERYSCOPE_PORT": "2", "FLOWER_PORT": "3"}
    assert config(here, flags={"port": "1"}, env=env, app=app).port == 1
    assert config(here, env=env, app=app).port == 2
    assert config(here, env={"FLOWER_PORT": "3"}, app=app).port == 3
    assert config(here, app=app).port == 4
    (here / "flowerconfig.py").unlink()
    assert config(here, app=app).port == 5
    assert config(here).port == 5555


def test_the_exporter_has_its_own_port_and_reads_celery_exporters_variables(here: Path) -> None:
    env = {"CE_BROKER_URL": "redis://a", "FLOWER_PORT": "1", "CE_BUCKETS": "1,2", "CE_X": "?"}
    exporter = config(here, env=env, command="exporter")
    assert exporter.broker == "redis://a"
    assert exporter.port == 9808
    assert exporter.task_runtime_metric_buckets == (1.0, 2.0)


def test_an_empty_variable_is_as_good_as_none(here: Path) -> None:
    env = {"CELERYSCOPE_PORT": "", "CELERYSCOPE_URL_PREFIX": " ", "CELERYSCOPE_QUEUES": ""}
    assert config(here, env=env) == config(here)


def test_celerys_own_variable_names_the_broker(here: Path) -> None:
    env = {"CELERY_BROKER_URL": "redis://a"}
    assert config(here, env=env, command="serve").broker == "redis://a"


def test_a_broker_must_be_named(here: Path) -> None:
    with pytest.raises(ConfigError, match="celeryscope serve --broker"):
        config(here, command="serve")


def test_kubernetes_service_variables_are_not_taken_for_settings(here: Path) -> None:
    env = {
        "CELERYSCOPE_PORT": "tcp://10.0.0.7:5555",
        "CELERYSCOPE_PORT_5555_TCP_ADDR": "10.0.0.7",
        "CELERYSCOPE_SERVICE_HOST": "10.0.0.7",
        "CELERYSCOPE_SERVICE_PORT_HTTP": "5555",
        "FLOWER_PORT": "tcp://10.0.0.8:5555",
    }
    result = loaded(here, env=env)
    assert result.config.port == 5555
    assert result.warnings == []


def test_a_named_toml_file_is_read_from_where_we_are(here: Path) -> None:
    (here / "scope.toml").write_text('max-tasks = 7\nstatic_label = {env = "prod"}\n')
    result = config(here, flags={"config": "scope.toml"})
    assert result.max_tasks == 7
    assert result.static_label == {"env": "prod"}


# ---------------------------------------------------------------- Flower's words


def test_flowers_file_is_found_and_its_reading_is_said(here: Path) -> None:
    (here / "flowerconfig.py").write_text(
        "# ours\nmax_tasks = 500\ninspect_timeout = 2500\npurge_offline_workers = None\n"
        "debug = True\nlogging = 'info'\n"
    )
    result = loaded(here)
    assert result.config.max_tasks == 500
    assert result.config.reply_timeout == 2.5
    assert result.config.purge_offline_workers == 0
    assert result.config.log_level == "debug"
    assert result.notices == ["Settings are read from flowerconfig.py in this directory"]
    assert result.warnings == []


def test_flowers_file_is_not_read_when_another_is_named(here: Path) -> None:
    (here / "flowerconfig.py").write_text("port = 1\n")
    (here / "scope.toml").write_text("max_tasks = 5\n")
    assert config(here, env={"CELERYSCOPE_CONFIG": "scope.toml"}).port == 5555


def test_flowers_timeout_is_in_milliseconds_wherever_it_stands(here: Path) -> None:
    assert config(here, flags={"inspect_timeout": "500"}).reply_timeout == 0.5
    assert config(here, env={"FLOWER_INSPECT_TIMEOUT": "500"}).reply_timeout == 0.5


def test_what_has_no_meaning_is_named_once_all_together(here: Path) -> None:
    (here / "flowerconfig.py").write_text(
        "persistent = True\ndef format_task(task):\n    return task\n"
    )
    warnings = loaded(here, env={"FLOWER_NATURAL_TIME": "true"}, flags={"db": "x"}).warnings
    assert len(warnings) == 1
    assert warnings[0].startswith("Without a meaning here, and ignored: --db, FLOWER_NATURAL_TIME")
    assert "flowerconfig.py:1" in warnings[0]
    assert "flowerconfig.py:2 (use mask to hide what tasks carry)" in warnings[0]


def test_who_may_do_what_is_said_in_flowers_words_too(here: Path) -> None:
    env = {"FLOWER_READ_ONLY": "true", "FLOWER_UNAUTHENTICATED_API": "true"}
    result = loaded(here, env=env)
    assert (result.config.read_only, result.config.unauthenticated_api) == (True, True)
    assert result.warnings == []


def test_a_role_that_is_none_is_refused(here: Path) -> None:
    with pytest.raises(ConfigError, match="viewer, operator, admin"):
        config(here, flags={"anonymous_role": "root"})


def test_celerys_own_variable_names_the_result_backend(here: Path) -> None:
    env = {"CELERY_RESULT_BACKEND": "redis://results"}
    assert config(here, env=env).result_backend == "redis://results"


def test_other_variables_of_flowers_prefix_are_not_ours_to_judge(here: Path) -> None:
    assert loaded(here, env={"FLOWER_HOME": "/opt", "FLOWER_DATA_DIR": "/x"}).warnings == []


# ---------------------------------------------------------------- a login


@pytest.mark.parametrize(
    "given",
    [
        {"flags": {"basic_auth": "ada:a:b,bob:secret"}},
        {"flags": {"basic_auth": ("ada:a:b", "bob:secret")}},
        {"env": {"FLOWER_BASIC_AUTH": "ada:a:b, bob:secret"}},
        {"env": {"CELERYSCOPE_BASIC_AUTH": "ada:a:b,bob:secret"}},
    ],
)
def test_flowers_users_log_in(here: Path, given: dict[str, Any]) -> None:
    assert config(here, **given).basic_auth == (("ada", "a:b"), ("bob", "secret"))


def test_flowers_users_come_from_its_file(here: Path) -> None:
    (here / "flowerconfig.py").write_text("basic_auth = ['ada:secret']\n")
    assert config(here).basic_auth == (("ada", "secret"),)
    (here / "flowerconfig.py").write_text("basic_auth = os.environ['LOGIN'].split(',')\n")
    with pytest.raises(ConfigError, match=r"flowerconfig\.py:1: .*set CELERYSCOPE_BASIC_AUTH"):
        config(here)


@pytest.mark.parametrize("value", ["ada", "ada:", ":secret", "ada:secret,bob"])
def test_a_user_without_a_password_is_refused_and_not_shown(here: Path, value: str) -> None:
    with pytest.raises(ConfigError, match="its value cannot be used") as caught:
        config(here, flags={"basic_auth": value})
    assert "secret" not in str(caught.value)


def test_an_empty_login_asks_for_none(here: Path) -> None:
    (here / "flowerconfig.py").write_text("basic_auth = None\nauth = ''\n")
    result = loaded(here, env={"FLOWER_BASIC_AUTH": ""})
    assert (result.config.basic_auth, result.config.oidc_emails) == ((), ())
    assert result.warnings == []


@pytest.mark.parametrize(
    ("handler", "provider"),
    [
        ("flower.views.auth.GoogleAuth2LoginHandler", "google"),
        ("flower.views.auth.GithubLoginHandler", "github"),
        ("flower.views.auth.GitLabLoginHandler", "gitlab"),
        ("flower.views.auth.OktaLoginHandler", "okta"),
    ],
)
def test_flowers_provider_is_taken_with_its_people_as_admins(
    here: Path, handler: str, provider: str
) -> None:
    env = {
        "FLOWER_AUTH_PROVIDER": handler,
        "FLOWER_AUTH": ".*@example.com",
        "FLOWER_OAUTH2_KEY": "id",
        "FLOWER_OAUTH2_SECRET": "secret",
        "FLOWER_OAUTH2_REDIRECT_URI": "https://flower.example.com/login",
    }
    taken = config(here, env=env)
    assert (taken.oidc_provider, taken.oidc_default_role) == (provider, "admin")
    assert (taken.oidc_client_id, taken.oidc_client_secret) == ("id", "secret")
    (pattern,) = taken.oidc_emails
    assert pattern.fullmatch("ada@example.com")
    for other in ("ada@example.com.evil.org", "ada@exampleXcom", "x\nada@example.com"):
        assert not pattern.fullmatch(other)


def test_where_flower_asks_for_a_group_too_only_the_group_gives_the_role(here: Path) -> None:
    env = {
        "FLOWER_AUTH_PROVIDER": "flower.views.auth.GitLabLoginHandler",
        "FLOWER_AUTH": ".*@example.com",
        "FLOWER_OAUTH2_KEY": "id",
        "FLOWER_GITLAB_AUTH_ALLOWED_GROUPS": "ops/all,dev",
    }
    taken = config(here, env=env)
    assert taken.oidc_roles == {"ops/all": "admin", "dev": "admin"}
    assert taken.oidc_default_role == ""


@pytest.mark.parametrize(
    ("auth", "email", "let_in"),
    [
        ("ada@example.com", "ada@example.com", True),
        ("ada@example.com", "ada@exampleXcom", False),
        ("ada@example.com|bob@example.com", "bob@example.com", True),
        ("ada@example.com|bob@example.com", "ada@example.com|bob@example.com", False),
    ],
)
def test_flowers_addresses_are_whole(here: Path, auth: str, email: str, let_in: bool) -> None:
    flags = {"auth": auth, "auth_provider": "x.GoogleAuth2LoginHandler", "oauth2_key": "id"}
    assert any(p.fullmatch(email) for p in config(here, flags=flags).oidc_emails) is let_in


@pytest.mark.parametrize("auth", [".*@.*", ".*@ex.*", ".*@a.com|b@b.com"])
def test_an_address_that_flower_refuses_is_refused(here: Path, auth: str) -> None:
    with pytest.raises(ConfigError, match="auth"):
        config(here, flags={"auth": auth, "auth_provider": "x.Google", "oauth2_key": "id"})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"auth": "ada@example.com"}, "asks for a login with a provider"),
        ({"oauth2_secret": "s"}, "asks for a login with a provider"),
        ({"oidc_issuer": "https://id.example"}, "--oidc-client-id"),
        ({"oidc_issuer": "https://id.example", "oidc_client_id": "x"}, "Nobody could come in"),
        ({"proxy_user_header": "X-User"}, "--trusted-proxies"),
        ({"proxy_user_header": "X-User", "trusted_proxies": "10.0.0.0/8"}, "Nobody could come in"),
        ({"trusted_proxies": "10.0.0.0/99"}, "networks"),
        ({"oidc_roles": "ops=root"}, "VALUE=viewer|operator|admin"),
        ({"auth_provider": "my.own.Handler"}, "cannot be used"),
    ],
)
def test_a_login_that_could_not_work_is_said_at_once(
    here: Path, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        config(here, flags=given)
    assert said in str(caught.value)


def test_a_groups_name_may_have_commas_and_equal_signs(here: Path) -> None:
    flags = {
        "oidc_issuer": "https://id.example",
        "oidc_client_id": "x",
        "oidc_roles": ("cn=ops,dc=shop=admin,dev team=viewer", "x=operator"),
    }
    taken = config(here, flags=flags).oidc_roles
    assert taken == {"cn=ops,dc=shop": "admin", "dev team": "viewer", "x": "operator"}


# ---------------------------------------------------------------- what is wrong, and where


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"flags": {"port": "abc"}},
            "--port: 'abc' cannot be used. It must be a whole number from 0 to 65535.",
        ),
        ({"env": {"CELERYSCOPE_MAX_TASKS": "0"}}, "CELERYSCOPE_MAX_TASKS: '0' cannot be used."),
        ({"env": {"FLOWER_INSPECT_TIMEOUT": "x"}}, r"2h \(in milliseconds\)\."),
        ({"flags": {"mask": ("(",)}}, r"cannot be used \(missing \), unterminated"),
        ({"flags": {"log_level": "info", "logging": "debug"}}, "contradict each other"),
        ({"flags": {"certfile": "x"}}, "HTTPS needs both"),
        ({"flags": {"broker_key": "x"}}, "give --broker-cert too"),
    ],
)
def test_a_bad_value_is_named_with_its_source_and_what_is_allowed(
    here: Path, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        config(here, **given)


def test_a_secret_is_not_in_the_message_nor_in_the_config_as_text(here: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config(here, flags={"broker_api": "hunter2"})
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(config(here, flags={"broker": "redis://:hunter2@host"}))


def test_an_unknown_key_of_a_toml_file_is_an_error_with_the_nearest_one(here: Path) -> None:
    (here / "scope.toml").write_text("port = 1\nmax_task = 7\n")
    with pytest.raises(
        ConfigError, match=r"scope\.toml:2: There is no key max_task\. Is max_tasks"
    ):
        config(here, flags={"config": "scope.toml"})


def test_an_unknown_name_of_flowers_file_is_only_noticed_when_it_looks_like_ours(
    here: Path,
) -> None:
    (here / "flowerconfig.py").write_text("max_task = 7\nHOST = 'x'\n")
    (warning,) = loaded(here).warnings
    assert "flowerconfig.py:1: There is no name max_task. Is max_tasks meant?" in warning


def test_an_unknown_variable_is_noticed_with_the_nearest_one(here: Path) -> None:
    (warning,) = loaded(here, env={"CELERYSCOPE_MAXTASKS": "7"}).warnings
    assert warning == (
        "There is no environment variable CELERYSCOPE_MAXTASKS. Is CELERYSCOPE_MAX_TASKS meant?"
    )


def test_a_value_that_is_not_written_out_is_named_with_the_way_out(here: Path) -> None:
    (here / "flowerconfig.py").write_text("import os\nport = int(os.environ['PORT'])\n")
    with pytest.raises(ConfigError, match=r"flowerconfig\.py:2: .*set CELERYSCOPE_PORT\."):
        config(here)


# ---------------------------------------------------------------- where it listens


@pytest.mark.parametrize("address", ["127.0.0.1", "127.3.2.1", "localhost", "::1", "[::1]"])
def test_on_loopback_no_login_is_needed(here: Path, address: str) -> None:
    assert config(here, flags={"address": address}).address == address


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.7", "example.com"])
@pytest.mark.parametrize("command", ["exporter", "demo"])
def test_elsewhere_what_has_no_login_starts_only_when_insecure_is_said(
    here: Path, address: str, command: Command
) -> None:
    given = {"broker": "redis://x", "address": address}
    with pytest.raises(ConfigError, match="--insecure"):
        config(here, command=command, flags=given)
    assert config(here, command=command, flags={**given, "insecure": "on"}).address == address
    flags = {**given, "unix_socket": "/run/x.sock"}
    assert config(here, command=command, flags=flags).unix_socket


# ---------------------------------------------------------------- TLS to the broker


def test_no_tls_setting_leaves_it_to_the_url(here: Path) -> None:
    assert config(here).broker_tls() is None


@pytest.mark.parametrize(
    ("broker", "prefix"), [("rediss://host", "ssl_"), ("amqps://host", ""), ("amqp://host", "")]
)
def test_files_become_what_the_transport_calls_them(here: Path, broker: str, prefix: str) -> None:
    flags = {"broker": broker, "broker_ca": "ca.pem", "broker_cert": "c.pem", "broker_key": "k.pem"}
    assert config(here, flags=flags).broker_tls() == {
        f"{prefix}ca_certs": "ca.pem",
        f"{prefix}certfile": "c.pem",
        f"{prefix}keyfile": "k.pem",
        f"{prefix}cert_reqs": ssl.CERT_REQUIRED,
    }


@pytest.mark.parametrize("broker", ["rediss://host", "valkeys://host"])
def test_a_certificate_is_checked_where_kombu_would_not(here: Path, broker: str) -> None:
    flags = {"broker": broker}
    assert config(here, flags=flags).broker_tls() == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    flags["broker"] += "/0?ssl_cert_reqs=none"
    assert config(here, flags=flags).broker_tls() is None
    told = {"ssl_cert_reqs": ssl.CERT_NONE}
    app = [Given("broker_use_ssl", told, "the app's broker_use_ssl")]
    assert config(here, flags={"broker": broker}, app=app).broker_tls() == told


def test_verification_can_be_switched_off(here: Path) -> None:
    flags = {"broker": "rediss://host", "broker_verify": "off"}
    assert config(here, flags=flags).broker_tls() == {"ssl_cert_reqs": ssl.CERT_NONE}


def test_celerys_own_setting_passes_through(here: Path) -> None:
    app = [Given("broker_use_ssl", {"cert_reqs": ssl.CERT_OPTIONAL}, "the app's broker_use_ssl")]
    assert config(here, app=app).broker_tls() == {"cert_reqs": ssl.CERT_OPTIONAL}
    assert config(here, flags={"broker_use_ssl": "true"}).broker_tls() is True


def test_celery_exporters_options_become_celerys(here: Path) -> None:
    result = config(
        here,
        command="exporter",
        env={
            "CE_BROKER_URL": "amqps://host",
            "CE_BROKER_SSL_OPTION": "ca_certs=/ca.pem cert_reqs=ssl.CERT_REQUIRED",
            "CE_BROKER_TRANSPORT_OPTION": "visibility_timeout=18000",
            "CE_WORKER_TIMEOUT": "300",
        },
    )
    assert result.broker_tls() == {"ca_certs": "/ca.pem", "cert_reqs": ssl.CERT_REQUIRED}
    assert result.transport_options == {"visibility_timeout": 18000}
