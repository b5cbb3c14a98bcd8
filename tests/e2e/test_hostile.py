"""The page over a cluster that means harm: what it sends is shown as text, and nothing else."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pytest
from celery import Celery
from playwright.sync_api import Locator, Page, expect

from celeryscope.audit.entry import By
from celeryscope.audit.trail import Trail
from celeryscope.model.actor import Scope
from celeryscope.web.auth.users import User, Users
from tests.conftest import REPOSITORY, running, running_redis
from tests.e2e import harmful
from tests.e2e.browsing import (
    DESKTOP,
    SIZES,
    Visitor,
    agree,
    figure,
    query_address,
    rows,
    text_in,
    too_wide_by,
    total,
    unfold,
)
from tests.e2e.harmful import TEXTS, WORST
from tests.e2e.house import PASSWORD, REFUSED, House, enter, fill_in, show_who
from tests.integration.watching import Console, console

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

_SIZES = (SIZES[0], SIZES[2], SIZES[3])
# Would change, hide or reverse what a person reads; only their escapes may be there.
UNSAFE = "\x00\x07\x1b\x7f\x85\u2028\u202e\u2066\u200f\u200b\ufeff\U000e0067"

_ESCAPED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """As the page has to write it: what cannot be seen is an escape of Python's."""
    return _ESCAPED.sub(lambda found: escape(ord(found[0])), text)


def escape(code: int) -> str:
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


class Hostile(NamedTuple):
    console: Console
    uuids: dict[str, str]  # the kind of harm -> the task that means it

    @property
    def url(self) -> str:
        return self.console.url


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    """A console that has heard every hostile text in every place of an event."""
    directory = tmp_path_factory.mktemp("hostile")
    with running_redis(directory) as broker, console(broker, directory) as ours:
        ours.until("/api/v1/overview", lambda told: told["broker"]["state"] == "connected")
        app = Celery(broker=broker)
        for kind, text in TEXTS.items():
            publish(app, kind, text)
        app.close()
        told = ours.until(
            "/api/v1/tasks?limit=100",
            # A failed task and a state of the cluster's own making, each.
            lambda told: (
                told["total"] == 2 * len(TEXTS)
                and all(task["state"] not in ("PENDING", "RECEIVED") for task in told["tasks"])
            ),
        )
        uuids = {
            task["client"]: task["uuid"] for task in told["tasks"] if task["state"] == "FAILURE"
        }
        assert uuids.keys() == TEXTS.keys()
        yield Hostile(ours, uuids)


def publish(app: Any, kind: str, text: str) -> None:
    """Send events as a client, and as a worker, whose every text is hostile."""
    with app.events.default_dispatcher(hostname=kind) as client:
        client.send(
            "task-sent", uuid=text, name=text, queue=text, exchange=text, routing_key=text,
            args=text, kwargs=text, eta=text, expires=text, root_id=text, parent_id=text,
        )  # fmt: skip
    with app.events.default_dispatcher(hostname=text) as worker:
        worker.send(
            "worker-heartbeat", freq=600.0, active=1, processed=1, loadavg=[1.0, 1.0, 1.0],
            sw_ident=text, sw_ver=text, sw_sys=text,
        )  # fmt: skip
        worker.send("task-received", uuid=text, name=text, args=text, kwargs=text, eta=text)
        worker.send("task-started", uuid=text)
        worker.send("task-failed", uuid=text, exception=text, traceback=text)
        worker.send(f"task-{text}", uuid=f"custom {kind}", name=text, result=text)


def assert_unharmed(page: Page, where: str) -> None:
    """Nothing of it became markup, ran, hid itself, or pushed anything aside."""
    assert page.evaluate("window.harmed") is None, where
    assert page.locator("img[src=x], [onerror], [onload], script:not([src])").count() == 0, where
    assert page.locator("a[href^='javascript:' i]").count() == 0, where
    said: str = page.evaluate(
        """() => [document.title, document.body.innerText, ...[...document.querySelectorAll(
            '[title], [aria-label]')].flatMap(e => [e.title, e.ariaLabel])].join(' ')"""
    )
    assert [character for character in UNSAFE if character in said] == [], where
    for size in _SIZES:
        page.set_viewport_size(size)
        assert too_wide_by(page) == 0, f"{where} at {size['width']} px"
        assert displaced(page) == [], f"{where} at {size['width']} px"
    page.set_viewport_size(DESKTOP)


def displaced(page: Page) -> list[str]:
    """What is wrong with the rows of the lists, and with the direction of what they say."""
    found: list[str] = page.evaluate(
        """() => {
            const wrong = [];
            for (const list of document.querySelectorAll('tbody, [role=rowgroup]')) {
                const boxes = [...list.children].filter(row => row.checkVisibility())
                    .map(row => row.getBoundingClientRect()).sort((a, b) => a.top - b.top);
                const heights = new Set(boxes.map(({height}) => Math.round(height)));
                if (heights.size > 1) wrong.push(`rows of ${[...heights]} px`);
                boxes.forEach(({top}, i) => {
                    if (i > 0 && Math.abs(top - boxes[i - 1].bottom) > 1.5)
                        wrong.push(`a row begins ${top - boxes[i - 1].bottom} px after the one before`);
                });
                // Marks that are stacked reach far; they must not be drawn over the neighbours.
                for (const row of list.children) for (const text of row.querySelectorAll('bdi')) {
                    let box = text;
                    while (box !== row.parentElement && getComputedStyle(box).overflowY === 'visible')
                        box = box.parentElement;
                    if (box === row.parentElement) wrong.push(`not clipped: ${text.outerHTML.slice(0, 200)}`);
                }
            }
            const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (texts.nextNode())
                if (/[\u0590-\u08ff]/.test(texts.currentNode.data)
                    && !texts.currentNode.parentElement.closest('bdi'))
                    wrong.push(`turns its neighbours: ${texts.currentNode.data.slice(0, 100)}`);
            return wrong;
        }"""
    )
    return found


@pytest.mark.parametrize("address", ["/", "/workers", "/tasks", "/tasks?sort=name"])
def test_lists_show_hostile_text_as_text(address: str, hostile: Hostile, visitor: Visitor) -> None:
    page = visitor.open(hostile.url + address)
    if address == "/":
        agree(lambda: figure(page, "figure-workers") >= 1, lambda: True)
        expect(page.locator("tr[data-name]")).to_have_count(10)
    elif address == "/workers":
        expect(page.locator("tr[data-worker]")).to_have_count(len(TEXTS))
    else:
        agree(
            lambda: page.get_by_test_id("tasks").get_attribute("data-total"),
            lambda: str(2 * len(TEXTS)),
        )
        page.locator("[data-testid=tasks] [data-uuid]").nth(10).wait_for()
        # Its colour is that of an unknown state, its word is what the cluster said.
        expect(page.locator("[role=group][aria-label=States]")).to_contain_text("<IMG SRC=X")
    if address != "/":
        expect(page.get_by_text(TEXTS["markup"]).first).to_be_visible()
    assert_unharmed(page, address)


def test_one_task_shows_hostile_text_as_text(hostile: Hostile, visitor: Visitor) -> None:
    page = visitor.open(f"{hostile.url}/tasks")
    for kind in WORST:
        uuid = hostile.uuids[kind]
        page.goto(f"{hostile.url}/tasks/{quote(uuid, safe='')}")
        task = page.get_by_test_id("task")
        expect(task).to_have_attribute("data-state", "FAILURE")
        assert task.get_attribute("data-uuid") == uuid, kind
        true = hostile.console.get(f"/api/v1/tasks/{quote(uuid, safe='')}")
        unfold(page)
        assert text_in(page.get_by_test_id("exception")) == visible(true["exception"])
        traceback = page.get_by_role("region", name="Traceback")
        assert text_in(traceback) == visible(true["traceback"])
        assert_unharmed(page, f"one task, {kind}")


def test_one_worker_shows_hostile_text_as_text(hostile: Hostile, visitor: Visitor) -> None:
    page = visitor.open(f"{hostile.url}/workers")
    for kind in WORST:
        # The console shortens names, a worker's as it does a task's.
        hostname = hostile.uuids[kind]
        page.goto(f"{hostile.url}/workers/{quote(hostname, safe='')}")
        expect(page.get_by_role("heading", name="Events", exact=True)).to_be_visible()
        heading = page.get_by_role("heading", level=1).text_content() or ""
        assert visible(hostname)[:200].strip() in heading
        assert_unharmed(page, f"one worker, {kind}")


def test_links_lead_to_the_task_and_the_worker_whatever_they_are_called(
    hostile: Hostile, visitor: Visitor
) -> None:
    page = visitor.open(f"{hostile.url}/tasks?query=state:failure")
    for kind in ("address", "markup", "control", "prototype"):
        uuid = hostile.uuids[kind]
        row_of(page, uuid).get_by_role("link").click()
        expect(page.get_by_test_id("task")).to_have_attribute("data-uuid", uuid)
        page.locator("dl a[href*='/workers/']").first.click()
        title = page.get_by_role("heading", level=1)
        expect(title).not_to_have_text("Tasks")  # the drawer has left, the worker's page is there
        expect(page.get_by_role("heading", name="Events", exact=True)).to_be_visible()
        assert visible(uuid) in (title.text_content() or "")
        page.go_back()
        page.go_back()


def row_of(page: Page, uuid: str) -> Locator:
    """Find a row by its place: no selector can name every text."""
    rows = page.locator("[data-testid=tasks] [data-uuid]")
    rows.first.wait_for()
    shown: list[str] = rows.evaluate_all("rows => rows.map(row => row.dataset.uuid)")
    return rows.nth(shown.index(uuid))


# ---------------------------------------------------------------------- through a real worker


class Harmed(NamedTuple):
    """A console over workers that mean harm."""

    console: Console
    workers: list[str]
    queues: list[str]
    tasks: int  # how many

    @property
    def url(self) -> str:
        return self.console.url


@pytest.fixture(scope="module")
def harmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harmed]:
    directory = tmp_path_factory.mktemp("harmed")
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(running_redis(directory))
        ours = stack.enter_context(console(broker, directory))
        ours.until("/api/v1/overview", lambda told: told["broker"]["state"] == "connected")
        for which in range(len(harmful.HOSTS)):
            stack.enter_context(
                running(
                    [sys.executable, "-m", "tests.e2e.harmful", broker, str(which)],
                    log=directory / f"worker-{which}.log",
                    ready=partial(is_online, ours, which),
                    cwd=REPOSITORY,
                )
            )
        app = harmful.application(broker)
        count = harmful.send(app)
        app.close()
        told = ours.until(
            f"/api/v1/tasks{query_address('state:failure,success').removeprefix('/tasks')}"
            "&limit=100",
            lambda told: told["total"] == count,
        )
        assert all(task["exception"] or task["result"] for task in told["tasks"])
        queues = ours.until("/api/v1/queues", lambda told: len(told["queues"]) >= len(TEXTS))
        yield Harmed(ours, online(ours), [queue["name"] for queue in queues["queues"]], count)


def is_online(ours: Console, which: int) -> bool:
    return len(online(ours)) > which


def online(ours: Console) -> list[str]:
    workers = json.loads(ours.text("/api/v1/workers"))["workers"]
    return [worker["hostname"] for worker in workers if worker["status"] == "online"]


LISTS = {
    "/": "[data-testid=failing] tr[data-name]",
    "/workers": "[data-testid=workers] tr[data-worker]",
    "/workers?view=grid": "[data-testid=grid] [data-worker]",
    "/queues": "[data-testid=queues] tr[data-queue]",
    "/tasks": "[data-testid=tasks] [data-uuid]",
    "/tasks?columns=state,name,uuid,worker,queue,args,client,outcome": "[data-testid=tasks] [data-uuid]",
}


@pytest.mark.parametrize("address", LISTS)
def test_lists_show_what_a_real_worker_says_as_text(
    address: str, harmed: Harmed, visitor: Visitor
) -> None:
    page = visitor.open(harmed.url + address)
    listed = page.locator(LISTS[address])
    least = len(harmed.workers) if "worker" in address else 10
    agree(lambda: listed.count() >= least, lambda: True)
    assert_unharmed(page, address)


def test_suggestions_and_counts_offer_any_name_and_ask_for_exactly_it(
    harmed: Harmed, visitor: Visitor
) -> None:
    page = visitor.open(f"{harmed.url}/tasks")
    agree(lambda: total(page), lambda: harmed.tasks)
    for key in ("name:", "queue:", "worker:"):
        page.get_by_test_id("query").fill(key)
        expect(page.get_by_role("option").first).to_be_visible()
        assert_unharmed(page, f"suggestions for {key}")
    for facet in ("name", "queue", "worker"):
        page.goto(f"{harmed.url}/tasks")
        values = page.get_by_test_id(f"facet-{facet}").locator("li[data-value]")
        expect(values.nth(1)).to_be_visible()
        if more := page.get_by_test_id(f"facet-{facet}").get_by_role("button", name="more").all():
            more[0].click()
        told = values.evaluate_all("all => all.map(one => [one.dataset.value, one.dataset.count])")
        assert len(told) == len(harmed.workers if facet == "worker" else TEXTS)
        for place, (value, count) in enumerate(told):
            button = values.nth(place).get_by_role("button").first
            button.click()
            agree(lambda: total(page), partial(int, count))
            shown = rows(page).evaluate_all("(all, key) => all.map(row => row.dataset[key])", facet)
            assert set(shown) == {value}, facet
            button.click()
            agree(lambda: total(page), lambda: harmed.tasks)


def test_a_task_of_a_real_worker_shows_all_that_it_says_beside_the_list(
    harmed: Harmed, visitor: Visitor
) -> None:
    page = visitor.open(f"{harmed.url}/tasks")
    told = harmed.console.get("/api/v1/tasks?query=state:failure&limit=100")["tasks"]
    for kind in WORST:
        # The console shortens what is very long.
        uuid = next(task["uuid"] for task in told if task["name"][:20] == TEXTS[kind][:20])
        page.goto(f"{harmed.url}/tasks?query=state:failure&task={quote(uuid, safe='')}")
        drawer = page.get_by_test_id("drawer")
        expect(drawer.get_by_test_id("task")).to_have_attribute("data-state", "FAILURE")
        assert drawer.get_attribute("data-uuid") == uuid
        unfold(page)
        for raw in drawer.get_by_role("button", name="Raw ").all():
            raw.click()
        assert_unharmed(page, f"drawer, {kind}")


def test_a_real_worker_and_a_queue_may_be_called_anything(harmed: Harmed, visitor: Visitor) -> None:
    page = visitor.open(f"{harmed.url}/workers")
    assert len(harmed.workers) == len(harmful.HOSTS)
    for hostname in harmed.workers:
        page.goto(f"{harmed.url}/workers/{quote(hostname, safe='')}")
        # One whose name the console had to shorten cannot be asked.
        expect(page.get_by_test_id("heartbeats")).to_be_visible()
        if len(hostname) < 500:
            expect(page.get_by_test_id("registered")).to_be_visible()
        assert_unharmed(page, f"one worker, {hostname[:20]!r}")
    beginnings = {TEXTS[kind][:20] for kind in WORST}
    for queue in (name for name in harmed.queues if name[:20] in beginnings):
        page.goto(f"{harmed.url}/queues?queue={quote(queue, safe='')}")
        detail = page.get_by_test_id("queue-detail")
        expect(detail.get_by_test_id("queue-length")).to_have_attribute("data-value", "0")
        assert detail.get_attribute("data-queue") == queue
        assert_unharmed(page, f"one queue, {queue[:20]!r}")


# ---------------------------------------------------------------------- people who mean harm


#: Names that a user may have: printable, without a colon, of at most 128 characters.
PEOPLE = {
    "markup": TEXTS["markup"],
    "script": TEXTS["script"],
    "long": "x" * 128,
    "words": "shop pay " * 14,
    "right to left": "pay עברית العربية",
    "stacked": "Z" + "\u0301\u0316" * 50 + "algo",
    "prototype": "__proto__",
    "address": "../..//a?b=%2F&c=d#e;f\\g h%",
}


@pytest.fixture(scope="module")
def infiltrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A console whose users, tokens, sessions and audit trail are full of it."""
    directory = tmp_path_factory.mktemp("infiltrated")
    data = directory / "data"
    data.mkdir(mode=0o700)
    users = Users(data / "users.json")
    users.add(User(name="ada", role="admin"), PASSWORD)
    for kind, name in PEOPLE.items():
        scope = Scope(queues=(TEXTS["markup"],)) if kind == "markup" else Scope()
        users.add(User(name=name.strip(), role="operator", scope=scope), PASSWORD)
    with (
        running_redis(directory) as broker,
        console(broker, directory, "--data-dir", str(data)) as ours,
    ):
        house = House(ours, data)
        for text in TEXTS.values():
            plant(house, text)
        yield house


def plant(house: House, text: str) -> None:
    """Leave a text wherever people leave traces: in tokens, sessions, and what is written down."""
    Trail(house.data / "audit").write(
        kind="command", by=By(name=text, way="password", address=text, token=text), what=text,
        workers=[text], subjects=[text, text], arguments={text: text, "deep": [{text: [text]}]},
        outcome="done", detail=text, action=f"planted {list(TEXTS.values()).index(text)}",
    )  # fmt: skip
    for queues in ([], [text]):  # not every text is the name of a token, or a pattern
        name = f"{text} of a queue" if queues else text
        asked = {"name": name, "role": "viewer", "queues": queues, "tasks": [], "expires_in": 3600}
        with contextlib.suppress(urllib.error.HTTPError):
            house.ask("/api/v1/tokens", asked)
    with contextlib.suppress(urllib.error.HTTPError):
        house.ask("/api/v1/control/send_task", {"arguments": {"task_name": text, "args": [text]}})
    agent = text.encode("ascii", "ignore").decode()
    for name, password in ((text, "wrong horse"), ("ada", PASSWORD)):
        form = urlencode({"name": name, "password": password, "next": "/"}).encode()
        login = urllib.request.Request(house.url + "/login", form)
        login.add_header("User-Agent", re.sub(r"[\x00-\x1f\x7f]", "", agent).strip() or "none")
        with contextlib.suppress(urllib.error.HTTPError), opener.open(login, timeout=20):
            pass


class _Stays(urllib.request.HTTPRedirectHandler):
    """A program that does not go where the login sends it."""

    def redirect_request(self, *_: Any) -> None:
        return None


opener = urllib.request.build_opener(_Stays)


@pytest.mark.parametrize("kind", PEOPLE)
def test_a_person_may_be_called_anything(kind: str, infiltrated: House, visitor: Visitor) -> None:
    name = PEOPLE[kind].strip()
    page = enter(visitor, infiltrated, name, "/access")
    expect(page.get_by_test_id("sessions")).to_be_visible()
    show_who(page)
    expect(page.get_by_test_id("who-menu")).to_contain_text(visible(name)[-4:].strip())
    assert_unharmed(page, f"who one is, {kind}")
    page.keyboard.press("Escape")
    assert_unharmed(page, f"what one has, {kind}")


def test_sessions_and_tokens_show_hostile_text_as_text(
    infiltrated: House, visitor: Visitor
) -> None:
    page = enter(visitor, infiltrated, "ada", "/access")
    tokens = page.get_by_test_id("tokens").locator("[data-token]")
    expect(tokens.nth(5)).to_be_visible()
    expect(page.get_by_text(TEXTS["markup"]).first).to_be_visible()
    assert_unharmed(page, "/access")
    tokens.first.get_by_test_id("revoke-token").click()
    expect(page.get_by_test_id("confirm")).to_be_visible()
    assert_unharmed(page, "/access, before a token is revoked")


def test_the_audit_trail_shows_hostile_text_as_text(infiltrated: House, visitor: Visitor) -> None:
    page = enter(visitor, infiltrated, "ada", "/audit")
    entries = page.get_by_test_id("audit").locator("tr[data-seq]")
    expect(entries.nth(10)).to_be_visible()
    assert_unharmed(page, "/audit")
    for kind in WORST:
        page.goto(f"{infiltrated.url}/audit?action=planted+{list(TEXTS).index(kind)}")
        expect(entries).to_have_count(1)
        assert_unharmed(page, f"/audit, {kind}")
        entries.first.get_by_role("button").click()
        expect(page.get_by_test_id("audit-details")).to_be_visible()
        assert page.evaluate("window.harmed") is None
        assert page.locator("img[src=x], [onerror], [onload], script:not([src])").count() == 0
        assert too_wide_by(page) == 0, kind
        said = page.inner_text("body")
        assert [character for character in UNSAFE if character in said] == [], kind


@pytest.mark.parametrize("kind", ["markup", "right to left", "control"])
def test_a_filter_in_an_address_shows_hostile_text_as_text(
    kind: str, infiltrated: House, visitor: Visitor
) -> None:
    given = quote(TEXTS[kind], safe="")
    page = enter(visitor, infiltrated, "ada", "/audit")
    for name in ("action", "who", "what", "whom", "text"):
        page.goto(f"{infiltrated.url}/audit?{name}={given}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert_unharmed(page, f"/audit?{name}=, {kind}")


def test_the_page_to_log_in_shows_hostile_text_as_text(
    infiltrated: House, visitor: Visitor
) -> None:
    visitor.expected = [REFUSED, r"status of 4(00|29)"]
    page = visitor.context.new_page()
    for text in TEXTS.values():
        given = quote(text.encode("utf-8", "replace")[:100], safe="")
        page.goto(f"{infiltrated.url}/login?next=/{given}&error={given}")
        assert page.evaluate("window.harmed") is None
        assert page.locator("img[src=x], [onerror], [onload], script:not([src])").count() == 0
    page.goto(f"{infiltrated.url}/login")
    fill_in(page, TEXTS["markup"], "wrong horse")
    expect(page.get_by_role("alert")).to_be_visible()
    assert_unharmed(page, "/login, refused")
