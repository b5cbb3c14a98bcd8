"""Overview, Workers and Queues over the demo, a real cluster under traffic: they show what is true."""

from __future__ import annotations

import itertools
import re
import time
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browsing import (
    Visitor,
    agree,
    catches_up,
    fact,
    figure,
    figures,
    query_address,
    rows,
    sinks_with,
    total,
)
from tests.e2e.shop import Shop, halted, still
from tests.integration.watching import Console

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

NONE = "\N{EN DASH}"  # what stands where there is no value


# ---------------------------------------------------------------------- Overview


def test_the_page_shows_live_figures_within_ten_seconds_of_the_start(shop: Shop) -> None:
    assert shop.live_after_seconds < 10


def test_the_overview_follows_the_cluster(shop: Shop, visitor: Visitor) -> None:
    page = visitor.open(shop.url)
    for _ in range(5):
        catches_up(
            lambda: figure(page, "account-events"), lambda: shop.overview()["ingest"]["events"]
        )
        before = shop.overview()
        shown = figures(page, "figure-")
        after = shop.overview()
        assert shown["workers"] == 3
        assert shown["lost"] == before["ingest"]["lost"] == 0
        # A rate moves between two looks, and not by much.
        done = [now["rate"]["succeeded"] + now["rate"]["failed"] for now in (before, after)]
        assert 0.6 * min(done) <= shown["done"] <= 1.6 * max(done)
        time.sleep(0.3)
    assert figure(page, "gaps") == 0
    expect(page.get_by_test_id("broker")).to_have_attribute("data-value", "connected")
    expect(page.get_by_test_id("version")).to_have_text(f"Version {shop.overview()['version']}")


def test_when_the_cluster_stands_still_every_figure_of_the_overview_is_the_exact_truth(
    shop: Shop, visitor: Visitor
) -> None:
    page = visitor.open(shop.url)
    for chart in CHARTS:
        page.get_by_role("region", name=chart).get_by_role("button", name="Table").click()
    # A demo that has just begun has no step of waits and run times yet.
    shop.console.until(
        "/api/v1/overview",
        lambda told: all(
            any(value is not None for value in told["latency"][kind]["p50"])
            for kind in ("wait", "runtime")
        ),
        timeout_seconds=30,
    )
    with still(shop):
        agree(lambda: shown_lists(page), lambda: true_lists(shop.overview()))
        # With every step of theirs.
        agree(lambda: shown_charts(page), lambda: true_charts(shop.overview()), moving=True)
        agree(lambda: figures(page, "account-"), lambda: true_accounts(shop.overview()["ingest"]))
        agree(lambda: figures(page, "figure-"), lambda: true_figures(shop.overview()))


def test_when_the_cluster_stands_still_workers_and_queues_show_the_exact_truth(
    shop: Shop, visitor: Visitor
) -> None:
    workers, queues = visitor.open(f"{shop.url}/workers"), visitor.open(f"{shop.url}/queues")
    with still(shop):
        agree(lambda: shown_workers(workers), lambda: true_workers(shop))
        agree(lambda: shown_queues(queues), lambda: true_queues(shop))
        workers.get_by_role("button", name="Grid", exact=True).click()
        expect(workers).to_have_url(f"{shop.url}/workers?view=grid")
        agree(
            lambda: shown_grid(workers),
            lambda: {name: row["status"] for name, row in shop.workers().items()},
        )


def shown_grid(page: Page) -> Any:
    cells = page.get_by_test_id("grid").locator("[data-worker]")
    pairs = cells.evaluate_all("all => all.map(c => [c.dataset.worker, c.dataset.status])")
    return dict(pairs)


def true_figures(overview: Any) -> dict[str, Any]:
    states, rate, ingest = overview["states"], overview["rate"], overview["ingest"]
    done = rate["succeeded"] + rate["failed"]
    told = {
        "done": pytest.approx(done, rel=0.15),  # a mean over a time that goes on
        "running": overview["running"],
        "waiting": states.get("PENDING", 0) + states.get("RECEIVED", 0),
        "retrying": states.get("RETRY", 0),
        "workers": overview["workers"]["online"],
        "lost": ingest["lost"] + ingest["dropped_messages"],
    }
    # Without a task that is done there is no part of them that failed.
    failing = {"failing": pytest.approx(100 * rate["failed"] / done, rel=0.15)} if done else {}
    return {**told, **failing}


def true_accounts(ingest: Any) -> dict[str, float]:
    return {
        "events": ingest["events"],
        "lost": ingest["lost"],
        "dropped": ingest["dropped_messages"],
        "rejected": sum(ingest["rejected"].values()),
        "duplicates": ingest["duplicates"],
        "buffer": ingest["buffer_bytes"],
        "memory": ingest["tasks_in_memory"],
    }


def shown_lists(page: Page) -> Any:
    return page.evaluate(
        """() => {
            const list = (testid, row, value) => Object.fromEntries(
                [...document.querySelectorAll(`[data-testid=${testid}] tr[data-${row}]`)].map(
                    tr => [tr.dataset[row], value(tr)]));
            const number = tr => Number(tr.querySelector('[data-value]').dataset.value);
            return {
                failing: Object.entries(list('failing', 'name', number)),
                recent: list('failing', 'name',
                    tr => Number(tr.querySelector('[data-recent]').dataset.recent)),
                slowest: Object.entries(list('slowest', 'slow', number)),
                queues: list('queues', 'queue', tr => Number(tr.dataset.messages)),
                grid: Object.fromEntries(
                    [...document.querySelectorAll('[data-testid=grid] [data-worker]')].map(
                        cell => [cell.dataset.worker, cell.dataset.status])),
            };
        }"""
    )


def true_lists(overview: Any) -> Any:
    assert overview["failing"]
    assert overview["slowest"]
    return {
        "failing": [[row["name"], row["failed"]] for row in overview["failing"]],
        "recent": {row["name"]: row["recent_failed"] for row in overview["failing"]},
        "slowest": [
            [row["name"], pytest.approx(row["runtime_p95"])] for row in overview["slowest"]
        ],
        "queues": {queue["name"]: queue["messages"] for queue in overview["queues"]},
        "grid": dict.fromkeys(WORKERS, "online" if overview["workers"]["online"] else "offline"),
    }


WORKERS = ("checkout@shop-1", "media@shop-2", "backoffice@shop-3")
CHARTS = {"Throughput": "throughput", "Wait": "latency-wait", "Run time": "latency-runtime"}


def shown_charts(page: Page) -> dict[str, list[list[float | None]]]:
    """The numbers in the tables of the charts, oldest first."""
    return {
        test_id: [
            [number_in(cell) for cell in cells]
            for cells in reversed(
                page.get_by_test_id(test_id)
                .locator("tbody tr")
                .evaluate_all(
                    "rows => rows.map(row => [...row.cells].slice(1).map(c => c.innerText))"
                )
            )
        ]
        for test_id in CHARTS.values()
    }


def number_in(text: str) -> float | None:
    """Read back what people read: 0, <0.1, 1.23k, 850 µs, 12.3 ms, 2 m 05 s."""
    sizes = {"": 1, "k": 1e3, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
    if text == NONE:
        return None
    parts = re.findall(r"<?([\d.,]+)\s*([a-zµ]*)", text)
    assert parts, text
    return sum(float(value.replace(",", "")) * sizes[unit] for value, unit in parts)


def true_charts(overview: Any) -> dict[str, Any]:
    activity, latency = overview["activity"], overview["latency"]
    ends, step = activity["times"], activity["step_seconds"]
    took = [step, *(max(step / 2, end - start) for start, end in itertools.pairwise(ends))]
    throughput = [
        [
            # Anything below 0.05 stands there as "<0.1".
            pytest.approx(activity["series"][kind][i] / took[i], abs=0.1)
            for kind in ("received", "succeeded", "failed", "retried")
        ]
        for i in range(len(ends))
    ]
    told = {
        f"latency-{kind}": [
            [
                None if value is None else pytest.approx(value, rel=0.01, abs=1e-6)
                for value in values
            ]
            for values in zip(*(latency[kind][part] for part in ("p99", "p95", "p50")), strict=True)
        ]
        for kind in ("wait", "runtime")
    }
    for values in told.values():
        assert any(value is not None for row in values for value in row)
    return {"throughput": throughput, **told}


# ---------------------------------------------------------------------- doors


def test_every_figure_of_the_strip_is_a_door_to_the_list_that_it_counts(
    shop: Shop, visitor: Visitor
) -> None:
    page = visitor.open(shop.url)
    until_shown = page.locator("[data-testid^=figure-][data-value]")
    expect(until_shown).to_have_count(7)
    assert {door.evaluate("door => door.tagName") for door in until_shown.all()} == {"A"}
    with still(shop):
        agree(lambda: figures(page, "figure-"), lambda: true_figures(shop.overview()))
        figures_then = figures(page, "figure-")
        for name, query in {
            "done": "state:success,failure since:5m",
            "failing": "state:failure since:5m",
            "running": "state:started",
            "waiting": "state:pending,received",
            "retrying": "state:retry",
        }.items():
            page.get_by_test_id(f"figure-{name}").click()
            expect(page).to_have_url(shop.url + query_address(query))
            if name in ("done", "failing"):  # a rate opens the list of what it is made of
                sinks_with(lambda: total(page), partial(shop.count, query))
                assert total(page) > 0
            else:
                agree(lambda: total(page), partial(shop.count, query))
                assert total(page) == figures_then[name], name
            page.go_back()
            expect(page.get_by_test_id("verdict")).to_be_visible()
        page.get_by_test_id("figure-lost").click()
        expect(page).to_have_url(f"{shop.url}/#accounting")
        expect(page.get_by_test_id("account-lost")).to_be_in_viewport()
        page.get_by_test_id("figure-workers").click()
        expect(page).to_have_url(re.compile(f"^{shop.url}/workers"))
        expect(page.locator("[data-testid=workers] tr[data-worker]")).to_have_count(3)


def test_doors_of_the_lists_lead_to_what_they_count(shop: Shop, visitor: Visitor) -> None:
    page = visitor.open(shop.url)
    with still(shop):
        agree(lambda: shown_lists(page), lambda: true_lists(shop.overview()))
        failing = shop.overview()["failing"][0]
        row = page.locator(f"[data-testid=failing] tr[data-name='{failing['name']}']")
        row.locator("[data-recent]").click()
        query = f"state:failure name:{failing['name']} since:5m"
        expect(page).to_have_url(shop.url + query_address(query))
        sinks_with(lambda: total(page), lambda: shop.count(query))
        # Each failure may have been followed by another try that succeeded.
        assert 0 < total(page) <= failing["recent_failed"]
        page.go_back()
        page.locator("[data-testid=queues] tr[data-queue=media] a").first.click()
        expect(page).to_have_url(f"{shop.url}/queues?queue=media")
        states = page.get_by_test_id("queue-detail").locator("[data-state][data-value]")
        agree(
            lambda: {
                door.get_attribute("data-state"): int(door.get_attribute("data-value") or -1)
                for door in states.all()
                if door.get_attribute("data-value") != "0"
            },
            lambda: counts(shop.tasks("queue:media", facets=1, limit=0)["facets"]["state"]),
        )
        page.get_by_test_id("queue-detail").locator("[data-state=SUCCESS]").click()
        expect(page).to_have_url(shop.url + query_address("state:success queue:media"))
        agree(lambda: total(page), lambda: shop.count("state:success queue:media"))


def counts(facet: Any) -> dict[str, int]:
    return {value["value"]: value["count"] for value in facet}


def test_a_failing_task_and_its_traceback_are_three_clicks_from_the_overview(
    shop: Shop, visitor: Visitor
) -> None:
    shop.task("state:failure name:payments.charge")
    page = visitor.open(shop.url)
    clicks = [
        page.locator("[data-testid=failing] tr[data-name='payments.charge'] a").first,
        rows(page).first.locator("a").first,
    ]
    for click in clicks:
        click.click()
    assert len(clicks) <= 3
    own = page.get_by_test_id("traceback").locator("[data-own=true]")
    # The frames of the shop's own code are in sight, and nothing has to be unfolded.
    expect(own.first).to_be_visible()
    expect(own.first).to_be_in_viewport()
    expect(own.filter(has_text="charge_card").first).to_be_visible()

    # Or with one: the last exception is a door, too.
    page.goto(shop.url)
    page.locator("[data-testid=failing] tr[data-name='payments.charge'] [data-task]").click()
    expect(page.get_by_test_id("traceback").locator("[data-own=true]").first).to_be_visible()


# ---------------------------------------------------------------------- Queues


def shown_queues(page: Page) -> dict[str, Any]:
    told: dict[str, Any] = page.evaluate(
        """() => Object.fromEntries(
            [...document.querySelectorAll('[data-testid=queues] tr[data-queue]')].map(
                row => [row.dataset.queue, Number(row.dataset.messages)]))"""
    )
    return told


def true_queues(shop: Shop) -> dict[str, Any]:
    told = {name: row["messages"] for name, row in shop.queues().items()}
    assert {"checkout", "media", "backoffice"} <= told.keys()
    return told


def test_one_queue_shows_who_reads_it(shop: Shop, visitor: Visitor) -> None:
    told = shop.console.until(
        "/api/v1/queues",
        lambda told: len({name for row in told["queues"] for name in row["workers"]}) == 3,
    )
    readers = next(row["workers"] for row in told["queues"] if row["name"] == "media")
    assert "media@shop-2" in readers
    page = visitor.open(f"{shop.url}/queues?queue=media")
    detail = page.get_by_test_id("queue-detail")
    expect(detail).to_have_attribute("data-queue", "media")
    agree(
        lambda: {one.get_attribute("data-worker") for one in detail.locator("[data-worker]").all()},
        lambda: set(shop.queues()["media"]["workers"]),
    )
    detail.locator("[data-worker='media@shop-2'] a").click()
    expect(page).to_have_url(re.compile(r"/workers/media(@|%40)shop-2$"))


# ---------------------------------------------------------------------- Workers


def shown_workers(page: Page) -> Any:
    return page.evaluate(
        """() => Object.fromEntries(
            [...document.querySelectorAll('[data-testid=workers] tr[data-worker]')].map(row => [
                row.dataset.worker,
                {
                    status: row.dataset.status,
                    word: row.querySelector('td:nth-child(2)').innerText.trim().toLowerCase(),
                    version: row.querySelector('td:nth-child(7)').innerText.trim(),
                    ...Object.fromEntries([...row.querySelectorAll('[data-field]')].map(
                        cell => [cell.dataset.field, Number(cell.dataset.value)])),
                }]))"""
    )


def true_workers(shop: Shop) -> Any:
    return {
        hostname: {
            "status": row["status"],
            "word": row["status"],
            "version": row["version"],
            "active": row["active"],
            "processed": row["processed"],
            "lost": row["lost"],
        }
        for hostname, row in shop.workers().items()
    }


def test_a_worker_that_falls_silent_is_offline_by_celerys_rule_and_comes_back(
    shop: Shop, visitor: Visitor
) -> None:
    page = visitor.open(f"{shop.url}/workers")
    media = page.locator("tr[data-worker='media@shop-2']")
    expect(media).to_have_attribute("data-status", "online")
    beat_seconds = shop.workers()["media@shop-2"]["heartbeat_interval"]
    with halted(shop, "--hostname media@"):
        silent_since = time.monotonic()
        expect(media).to_have_attribute("data-status", "offline", timeout=20_000)
        took = time.monotonic() - silent_since
        # Two intervals after its last beat, which was up to one interval ago.
        assert beat_seconds - 0.5 < took < 2 * beat_seconds + 1.5
        assert {hostname: row["status"] for hostname, row in shown_workers(page).items()} == {
            "media@shop-2": "offline",
            "checkout@shop-1": "online",
            "backoffice@shop-3": "online",
        }
        page.get_by_test_id("filter-offline").click()
        expect(page.locator("tr[data-worker]")).to_have_count(1)
        expect(page).to_have_url(f"{shop.url}/workers?status=offline")
    page.get_by_test_id("filter-offline").click()
    expect(media).to_have_attribute("data-status", "online")


def test_one_worker_shows_what_its_events_and_its_inspection_tell(
    shop: Shop, visitor: Visitor
) -> None:
    path = "/api/v1/workers/checkout@shop-1"
    page = visitor.open(f"{shop.url}/workers")
    page.locator("tr[data-worker='checkout@shop-1'] a").first.click()
    expect(page).to_have_url(re.compile(r"/workers/checkout(@|%40)shop-1$"))
    page.reload()  # the address alone is enough
    expect(page.get_by_role("heading", level=1)).to_contain_text("checkout@shop-1")
    # While somebody looks, the worker is asked for what it holds.
    true = shop.console.until(
        path, lambda told: told["inspect"] and told["inspect"]["reserved"] is not None
    )
    for name, value in {
        "Pool": true["pool"],
        "Process id": str(true["pid"]),
        "Version": f"{true['software']} {true['version']}",
    }.items():
        expect(fact(page, name)).to_have_text(value)
    assert (true["pool"], true["concurrency"]) == ("prefork", 3)
    expect(fact(page, "Active")).to_have_text(re.compile(r"^\d+ of 3 processes$"))
    catches_up(
        lambda: float(fact(page, "Processed").inner_text().replace(",", "")),
        lambda: shop.workers()["checkout@shop-1"]["processed"],
    )
    with still(shop):
        agree(lambda: shown_worker(page), lambda: true_worker(shop.console, path))


def shown_worker(page: Page) -> Any:
    return page.evaluate(
        """() => {
            const all = (selector, value) => [...document.querySelectorAll(selector)].map(value);
            const chart = document.querySelector('[data-testid=heartbeats] [role=img]');
            return {
                processes: all('[data-testid=processes] [data-pid]', e => Number(e.dataset.pid)),
                running: all('[data-testid=running-tasks] [data-uuid]', e => e.dataset.uuid),
                held: all('[data-testid=reserved] [data-count]', e => Number(e.dataset.count)),
                registered: all('[data-testid=registered] [data-name]', e => e.dataset.name),
                settings: all('[data-testid=settings] [data-setting]', e => e.dataset.setting),
                queues: all('[data-testid=worker-queues] tbody tr', e => e.cells[0].innerText),
                busy: Number(/Busy (\\d+)/.exec(chart.ariaLabel)[1]),
                lost: Number(
                    document.querySelector('[data-testid=worker-lost]').dataset.value),
            };
        }"""
    )


def true_worker(console: Console, path: str) -> Any:
    told = console.get(path)
    inspected = told["inspect"]
    return {
        "processes": inspected["stats"]["pool"]["processes"],
        "running": [task["uuid"] for task in told["running_tasks"]],
        "held": [len(inspected["reserved"]), len(inspected["scheduled"])],
        "registered": sorted(inspected["registered"]),
        "settings": sorted(inspected["conf"]),
        "queues": ["checkout"],
        "busy": told["heartbeats"]["active"][-1],
        "lost": 0,
    }
