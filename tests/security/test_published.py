"""Every published weakness of Flower and celery-exporter, tried on ours.

Each test names the number. Sources: the CVE records, GitHub's advisory database, PyPA's
PYSEC-2022-42973, the projects' issues and the notes of Flower 2.2.0.
"""

from __future__ import annotations

import hmac
import json
import logging
import math
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from celery import Celery

from celeryscope import app
from celeryscope.broker.rabbitmq import ManagementApi
from celeryscope.config.load import Given, load
from celeryscope.control import mailbox
from celeryscope.errors import ConfigError, broker_trouble
from celeryscope.ingest.pipeline import Pipeline
from celeryscope.web.app import LOOPBACK_HOSTS
from celeryscope.web.auth.identity import Admission, Begun, Identity
from celeryscope.web.auth.policy import RULES
from celeryscope.web.auth.throttle import PAIR_FREE
from tests.security.house import FORM, JSON, PASSWORD, Home, basic
from tests.unit.web.standins import Cluster, heartbeat, life

SCRIPT = "<script>alert(1)</script>'\"><img src=x onerror=alert(1)>"
#: What Flower's API could be made to do.
DEEDS = (
    "/api/worker/shutdown/celery%40web1", "/api/worker/pool/restart/celery%40web1",
    "/api/worker/pool/grow/celery%40web1", "/api/worker/pool/shrink/celery%40web1",
    "/api/worker/queue/add-consumer/celery%40web1?queue=q", "/api/task/revoke/a",
    "/api/task/apply/shop.pay", "/api/task/async-apply/shop.pay", "/api/task/send-task/shop.pay",
    "/api/task/abort/a", "/api/task/rate-limit/shop.pay?workername=celery%40web1&ratelimit=1",
    "/api/v1/control/shutdown", "/api/v1/control/send_task",
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, app={"allowed_hosts": LOOPBACK_HOSTS})


class Provider:
    """A login provider that vouches for any address somebody has registered there."""

    label = "Example"

    def __init__(self, admission: Admission) -> None:
        self.admission = admission

    async def begin(self) -> Begun:
        return Begun(url="https://id.example/authorize", state="s")

    async def finish(self, begun_state: str, query: Mapping[str, str]) -> Identity:
        claims = {"sub": "1", "email": query["code"], "email_verified": True}
        return self.admission.admit(claims)

    async def logout_url(self, id_token: str | None, back_to: str) -> str | None:
        return None


# ---------------------------------------------------------------------- CVE-2022-30034


def configured(auth: str, directory: Path) -> Any:
    given = {
        "auth": auth, "auth_provider": "flower.views.auth.GoogleAuth2LoginHandler",
        "oauth2_key": "k", "oauth2_secret": "s", "oauth2_redirect_uri": "https://c.example/login",
        "broker": "redis://localhost",
    }  # fmt: skip
    flags = [Given(name, value, f"--{name}") for name, value in given.items()]
    return load(command="serve", flags=flags, env={}, directory=directory).config


@pytest.mark.parametrize(
    ("auth", "email", "comes_in"),
    [
        (".*@example.com", "alice@example.com", True),
        (".*@example.com", "attacker@example.com.attacker.com", False),
        (".*@example.com", "attacker@exampleXcom", False),
        (".*@example.com", "x@attacker.com, alice@example.com", False),
        (".*@example.com", "alice@example.com\n", False),
        ("me@gmail.com", "me@gmail.com", True),
        ("me@gmail.com", "me@gmail.com.attacker.com", False),
        ("me@gmail.com", "notme@gmail.com", False),
        ("me@gmail.com|you@gmail.com", "you@gmail.com.attacker.com", False),
    ],
)
def test_cve_2022_30034_an_address_that_only_begins_like_an_allowed_one_does_not_come_in(
    auth: str, email: str, comes_in: bool, tmp_path: Path
) -> None:
    """GHSA-q4qm-xhf9-4p8f, PYSEC-2022-42973, mher/flower#1217: OAuth by an unanchored pattern."""
    config = configured(auth, tmp_path)
    admission = Admission(emails=config.oidc_emails, default_role="admin")
    home = Home(tmp_path, provider=Provider(admission))
    begun = home.ask("/login/start")
    assert begun.status == 303
    away = begun.values("set-cookie")[0].partition(";")[0].encode()
    back = f"/login?code={quote(email, safe='')}&state=s"
    told = home.ask(back, headers=[(b"cookie", away)])
    assert (told.status == 303) is comes_in, told
    sessions = [c for c in told.values("set-cookie") if c.startswith(f"{home.door.cookie}=")]
    assert bool(sessions) is comes_in


@pytest.mark.parametrize("path", DEEDS)
def test_cve_2022_30034_the_api_does_nothing_for_those_who_have_not_logged_in(
    path: str, home: Home
) -> None:
    """The same report: the API stood open where nothing else did, and called tasks."""
    home.cluster.feed([heartbeat(), *life("a")])
    told = home.ask(path, method="POST")
    assert told.status == 401
    assert home.cluster.desk.sent == []
    assert b"celery@web1" not in told.body


@pytest.mark.parametrize("path", sorted(path for path in RULES if path.startswith("/api/")))
def test_cve_2022_30034_no_part_of_the_api_is_open_where_there_is_a_login(
    path: str, home: Home
) -> None:
    for method in RULES[path]:
        told = home.ask(path.replace(":path", ""), method=method)
        assert told.status == 401, (method, path, told)
        assert told.header("www-authenticate")


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_cve_2022_30034_without_a_login_it_does_not_start_where_others_reach_it(
    address: str, tmp_path: Path
) -> None:
    given = {"broker": "redis://localhost", "address": address, "data_dir": str(tmp_path / "data")}
    flags = [Given(name, value, f"--{name}") for name, value in given.items()]
    with pytest.raises(ConfigError, match="insecure"):
        app.serve(load(command="serve", flags=[*flags, Given("port", 0, "--port")], env={},
                       directory=tmp_path).config)  # fmt: skip


# ---------------------------------------------------------------------- CVE-2022-51020


@pytest.mark.parametrize("path", DEEDS)
@pytest.mark.parametrize(
    "from_elsewhere",
    [
        [(b"origin", b"https://evil.example")],
        [(b"origin", b"null")],
        [(b"origin", b"http://localhost.evil.example")],
        [(b"sec-fetch-site", b"cross-site")],
        [(b"sec-fetch-site", b"same-site"), (b"origin", b"http://localhost:8000")],
        [],  # an old browser that says nothing of itself
    ],
)
def test_cve_2022_51020_a_page_elsewhere_cannot_act_through_a_logged_in_browser(
    path: str, from_elsewhere: list[tuple[bytes, bytes]], home: Home
) -> None:
    """mher/flower#1217: no CSRF defence on /api/worker/shutdown and the others."""
    home.cluster.feed([heartbeat(), *life("a")])
    cookie = [(b"cookie", home.cookie("ada"))]
    for kind in (FORM, JSON, [(b"content-type", b"text/plain")]):
        told = home.ask(
            path, method="POST", headers=[*cookie, *from_elsewhere, *kind], body=[b"{}"]
        )
        assert told.status == 403, told
    assert home.cluster.desk.sent == []


def test_cve_2022_51020_the_page_itself_may_and_with_its_own_token_only(home: Home) -> None:
    home.cluster.feed([heartbeat(), *life("a")])
    home.cluster.desk.report = {"state": "finished", "sent": "yes"}
    mine, other = home.session("ada"), home.session("ada")
    path = "/api/worker/shutdown/celery%40web1"
    assert home.ask(path, method="POST", headers=[mine[0], other[1]]).status == 403
    assert home.ask(path, method="POST", headers=mine).status == 200
    assert [sent["command"] for sent in home.cluster.desk.sent] == ["shutdown"]


def test_cve_2022_51020_the_cookie_is_for_no_script_and_no_other_site(tmp_path: Path) -> None:
    home = Home(tmp_path, app={"secure": True})
    (given,) = home.log_in("ada").values("set-cookie")
    attributes = {part.strip().lower() for part in given.split(";")[1:]}
    assert {"httponly", "samesite=lax", "secure", "path=/"} <= attributes


def test_cve_2022_51020_nothing_is_changed_by_a_link(home: Home) -> None:
    session = home.session("ada")
    for path in DEEDS:
        assert home.ask(path, headers=session).status == 405
    link = [session[0], (b"sec-fetch-site", b"cross-site")]
    assert home.ask("/logout", headers=link).status == 303
    assert home.ask("/api/v1/me", headers=session).status == 200, "still logged in"
    assert home.cluster.desk.sent == []


# ---------------------------------------------------------------------- scripts


@pytest.mark.parametrize("path", ["/", "/tasks", "/workers", "/tasks/x", "/login", "/nowhere"])
def test_cve_2019_16925_and_16926_a_name_that_is_a_script_is_told_as_data(
    path: str, tmp_path: Path
) -> None:
    """GHSA-q2hg-9256-vrxm (a task's name), CVE-2019-16926 (a worker's name), GHSA-94ww-22rx-493x
    and mher/flower#650 (the list of tasks), Flower 2.2.0 (load averages, all cells of tables).

    What the browser makes of it is in tests/e2e/test_hostile.py.
    """
    cluster = Cluster()
    cluster.feed([heartbeat(hostname=SCRIPT, sw_sys=SCRIPT), *life(SCRIPT, name=SCRIPT)])
    home = Home(tmp_path, cluster=cluster, anonymous="admin")
    accepted = [(b"accept", b"text/html")]
    told = home.ask(path, headers=accepted)
    policy = told.header("content-security-policy")
    assert "script-src 'self'" in policy or "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert SCRIPT.encode() not in told.body
    for api in (
        "/api/tasks", "/api/workers?status=1", "/api/v1/tasks", "/api/v1/workers",
        "/api/task/types", f"/api/task/info/{quote(SCRIPT, safe='')}",
    ):  # fmt: skip
        answer = home.ask(api, headers=accepted)
        assert answer.header("content-type").lower().startswith("application/json"), api
        assert answer.header("x-content-type-options") == "nosniff"
        assert SCRIPT in json.dumps(json.loads(answer.body), ensure_ascii=False).replace('\\"', '"')


@pytest.mark.parametrize(
    "path",
    [
        f"/api/task/info/{quote(SCRIPT, safe='')}",
        f"/api/tasks?sort_by={quote(SCRIPT)}",
        f"/api/workers?workername={quote(SCRIPT)}",
        f"/api/{quote(SCRIPT, safe='')}",
        f"/{quote(SCRIPT, safe='')}",
        f"/login?next={quote(SCRIPT)}",
        f"/login?error={quote(SCRIPT)}&error_description={quote(SCRIPT)}",
    ],
)
def test_flower_2_2_0_an_error_is_no_page_that_runs_what_was_asked(
    path: str, tmp_path: Path
) -> None:
    told = Home(tmp_path, anonymous="viewer").ask(path)
    if "html" in told.header("content-type"):
        assert b"<script>alert" not in told.body
        assert b"<img" not in told.body
    assert told.header("x-content-type-options") == "nosniff"
    assert "unsafe" not in told.header("content-security-policy")


def test_flower_2_2_0_a_workers_refusal_is_no_html(home: Home) -> None:
    """Served as HTML, as Flower does it; so what a worker says must not be any."""
    from celeryscope.control.action import WorkerResult

    home.cluster.feed([heartbeat()])
    home.cluster.desk.coming = [
        WorkerResult("celery@web1", True, "refused", answers=1, error=SCRIPT)
    ]
    told = home.ask(
        "/api/worker/pool/grow/celery%40web1", method="POST", headers=home.session("ada")
    )
    assert told.status == 403
    assert b"<script>" not in told.body


# ---------------------------------------------------------------------- Flower 2.2.0's notes


def test_flower_2_2_0_a_login_that_was_not_begun_here_is_refused(tmp_path: Path) -> None:
    """OAuth without `state`: somebody else's answer, brought by a link, logged one in as them."""
    home = Home(tmp_path, provider=Provider(Admission(default_role="admin")))
    for path in ("/login?code=a@b.c&state=s", "/login/callback?code=a@b.c&state=s"):
        for cookie in ([], [(b"cookie", f"{home.door.cookie}-away=guess".encode())]):
            told = home.ask(path, headers=cookie)
            assert told.status == 400
            assert not [
                c for c in told.values("set-cookie") if c.startswith(home.door.cookie + "=")
            ]
    begun = home.ask("/login/start")
    away = [(b"cookie", begun.values("set-cookie")[0].partition(";")[0].encode())]
    assert home.ask("/login?code=a@b.c&state=s", headers=away).status == 303
    assert home.ask("/login?code=a@b.c&state=s", headers=away).status == 400, "once only"


@pytest.mark.parametrize(
    "after",
    [
        "https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example",
        "\\\\evil.example", "/\t/evil.example", "/%09/evil.example", "javascript:alert(1)",
        "/\r\nLocation: https://evil.example", "http:evil.example", "/..//evil.example",
        " //evil.example", "/x\\..\\..\\\\evil.example", "/@evil.example\u2028", "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("prefix", ["", "/scope"])
def test_flower_2_2_0_after_the_login_one_is_still_here(
    after: str, prefix: str, tmp_path: Path
) -> None:
    home = Home(tmp_path, app={"url_prefix": prefix})
    told = home.log_in("ada", after=after)
    assert told.status == 303
    where = told.header("location")
    assert where.startswith(prefix + "/")
    assert not where.replace("\\", "/").startswith("//")
    assert not set(where) & set("\t\r\n\0")


def test_flower_2_2_0_the_management_apis_certificate_is_checked() -> None:
    """Flower asked it with validate_cert=False: urllib checks, and nothing tells it not to."""
    assert ssl._create_default_https_context is ssl.create_default_context
    source = Path(ManagementApi.__init__.__code__.co_filename).read_text()
    assert "context=" not in source
    assert "_create_unverified" not in source


def test_flower_2_2_0_no_answer_says_cors(home: Home) -> None:
    for headers in ([], home.session("ada"), basic("ada"), home.token("viewer")):
        for path in ("/api/workers", "/api/v1/overview", "/metrics", "/", "/login"):
            for method in ("GET", "OPTIONS"):
                asked = [*headers, (b"origin", b"https://evil.example"),
                         (b"access-control-request-method", b"POST")]  # fmt: skip
                told = home.ask(path, method=method, headers=asked)
                assert not [n for n, _ in told.headers if n.startswith(b"access-control")]


# ---------------------------------------------------------------------- passwords


def test_flower_1166_a_password_is_not_compared_with_ordinary_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flower before 2.0 compared basic-auth passwords with `==`, which tells how much is right."""
    from celeryscope.web.auth.users import Users

    compared: list[tuple[Any, Any]] = []
    real = hmac.compare_digest

    def digest(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", digest)
    users = Users(None, basic=[("ada", "the right one")])
    assert users.verify("ada", "the right one") is not None
    assert users.verify("ada", "the right onf") is None
    assert users.verify("nobody", "the right one") is None
    assert len(compared) >= 3, "an unknown name takes the same way"
    for one, other in compared:
        if not one:
            continue  # there is nobody of this name
        assert len(one) == len(other) > 16, "digests: equally long, whatever was typed"
        assert b"right" not in bytes(one if isinstance(one, bytes) else one.encode())


def test_flower_basic_auth_a_wrong_name_and_a_wrong_password_are_told_alike(home: Home) -> None:
    wrong = [home.ask("/api/tasks", headers=basic(name, "not it, no"))
             for name in ("ada", "nobody")]  # fmt: skip
    assert wrong[0].status == wrong[1].status == 401
    assert wrong[0].body == wrong[1].body
    assert home.ask("/api/tasks", headers=basic("ada")).status == 200


def test_flower_basic_auth_a_password_cannot_be_tried_without_end(home: Home) -> None:
    """Flower takes as many tries as the network carries."""
    began = time.monotonic()
    told = [home.ask("/api/tasks", headers=basic("ada", f"guess {i}")).status for i in range(12)]
    took_seconds = time.monotonic() - began
    assert told[:PAIR_FREE] == [401] * PAIR_FREE
    assert 429 in told
    # After one second there is one more try, two seconds later another one, and so on.
    assert told.count(401) <= PAIR_FREE + math.log2(1 + took_seconds)


# ---------------------------------------------------------------------- code and files


@pytest.mark.parametrize(
    "argument",
    ["__import__('os').system('touch {}')", "!!python/object/apply:os.system ['touch {}']",
     "cos\nsystem\n(S'touch {}'\ntR.", "{{ ''.__class__ }}", "$(touch {})", "`touch {}`"],
)  # fmt: skip
def test_arguments_of_tasks_are_values_and_never_run(
    argument: str, tmp_path: Path, home: Home
) -> None:
    """mher/flower#1217 told of code by task arguments: ours are JSON, passed on as they are."""
    harm = tmp_path / "harm"
    given = argument.format(harm)
    body = json.dumps({"args": [given], "kwargs": {"a": given}}).encode()
    home.cluster.desk.report = {"state": "finished", "sent": "yes"}
    headers = [*home.session("ada"), *JSON]
    home.ask("/api/task/send-task/shop.pay", method="POST", headers=headers, body=[body])
    (sent,) = home.cluster.desk.sent
    assert sent["arguments"]["args"] == [given]
    home.cluster.feed(life("a", args=given, kwargs=given))
    assert home.ask("/api/v1/tasks", headers=headers).status == 200
    assert not harm.exists()


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/assets/../../../cli.py",
        "/assets/%2e%2e%2f%2e%2e%2fapp.py", "/..%5c..%5capp.py", "//etc/passwd", "/%00", "/./app.py",
        "/assets//etc/passwd", "/index.html/../../app.py", "/%c0%ae%c0%ae/app.py", "/.git/config",
        "/../__init__.py", "/login.html%00.js",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_page(path: str, tmp_path: Path) -> None:
    page = tmp_path / "web" / "dist"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html><title>the page</title>")
    (tmp_path / "web" / "app.py").write_text("SECRET")
    (tmp_path / "app.py").write_text("SECRET")
    (page / "assets" / "link").symlink_to("/etc/passwd")
    (tmp_path / "home").mkdir()
    home = Home(tmp_path / "home", app={"assets_dir": page}, anonymous="viewer")
    for accept in (b"*/*", b"text/html"):
        told = home.ask(path, headers=[(b"accept", accept)])
        assert told.status < 500
        assert b"SECRET" not in told.body
        assert b"root:" not in told.body


# ---------------------------------------------------------------------- celery-exporter


def test_celery_exporter_308_a_lost_connection_does_not_tell_the_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """danihodovic/celery-exporter#308: the broker's URL stood in the log when it went away."""
    from celeryscope.cluster.accounting import Accounting

    url = "amqp://celery:hunter2@broker:5672//"
    with caplog.at_level(logging.DEBUG):
        for fault in (
            ConnectionRefusedError(111, f"Connection refused: {url}"),
            OSError(f"Server closed {url}?password=hunter2"),
            RuntimeError(f"cannot reach '{url}'"),
        ):
            trouble = broker_trouble(fault, where="amqp://celery:**@broker:5672//")
            assert "hunter2" not in str(trouble) + trouble.hint
            pipeline = Pipeline(
                fold=lambda _events, _at: None, tick=lambda _now: None, losses=Accounting(),
                transport="amqp", url="amqp://celery:**@broker:5672//", max_message_bytes=1_000,
            )  # fmt: skip
            pipeline.disconnected(str(trouble), trouble.hint)
            assert "hunter2" not in str(pipeline.status)
    assert "hunter2" not in caplog.text


def test_celery_273_and_1546_what_workers_say_of_their_settings_has_no_password(
    home: Home,
) -> None:
    """celery/celery#273 and #1546: Flower and `celery inspect` showed the broker's password."""
    from celeryscope.control.inspect import Inspector
    from tests.fuzz.test_replies import reply

    told = {
        "conf": {
            "broker_url": "redis://:hunter2@h/0", "result_backend": "db+postgresql://u:hunter2@h/d",
            "BROKER_PASSWORD": "hunter2", "redbeat_redis_url": "redis://:hunter2@h/1",
            "SECRET_KEY": "hunter2", "broker_transport_options": {"sentinel_kwargs":
            {"password": "hunter2"}}, "result_backend_transport_options": {"password": "hunter2"},
            "mongodb_backend_settings": {"user": "u", "password": "hunter2"},
            "broker_read_url": ["amqp://u:hunter2@h//", "amqp://u:hunter2@i//"],
        },
        "stats": {"broker": {"hostname": "h", "alternates": ["amqp://u:hunter2@i//"],
                             "password": "hunter2", "transport_options": {"password": "hunter2"}}},
    }  # fmt: skip
    inspector = Inspector(app=Celery(set_as_current=False))
    for command, answer in told.items():
        message = reply(json.dumps({"celery@web1": answer}).encode())
        inspector._merge(list(inspector._open(command, message)))
    home.cluster.inspector.latest = dict(inspector.latest)  # type: ignore[arg-type]
    home.cluster.feed([heartbeat()])
    session = home.session("ada")
    for path in ("/api/workers", "/api/v1/workers/celery%40web1", "/api/v1/workers",
                 "/api/workers?workername=celery%40web1"):  # fmt: skip
        answer = home.ask(path, headers=session)
        assert answer.status == 200
        assert b"hunter2" not in answer.body
    assert mailbox.where(Celery(broker="redis://:hunter2@h/0")) == "redis://:**@h/0"


def test_the_password_of_the_house_is_no_default() -> None:
    """Flower has none, and a console with a default password would have one for everybody."""
    from celeryscope.config.settings import SETTINGS

    assert PASSWORD
    for setting in SETTINGS:
        if setting.secret:
            assert not setting.default, setting.name
