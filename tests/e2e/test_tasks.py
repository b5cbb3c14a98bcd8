"""The Tasks page: its query bar, its list, and one task beside it or on a page of its own."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.browsing import (
    Visitor,
    agree,
    await_link,
    catches_up,
    fact,
    listed,
    query_address,
    rows,
    text_in,
    total,
    unfold,
)
from tests.e2e.known import Known
from tests.e2e.shop import Shop, still

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

NONE = "\N{EN DASH}"  # what stands where there is no value


# ---------------------------------------------------------------------- the truth


def shown_tasks(page: Page, most: int) -> Any:
    """What the list tells, by the names of its columns."""
    return page.evaluate(
        """most => {
            const list = document.querySelector('[data-testid=tasks]');
            const heads = [...list.querySelectorAll('[role=columnheader]')].map(h => h.innerText);
            const facet = ([key, testid]) => [key, Object.fromEntries(
                [...document.querySelectorAll(`[data-testid=facet-${key}] [${testid}]`)].map(
                    one => [one.dataset.value, Number(one.dataset.count)]))];
            return {
                total: Number(list.dataset.total),
                facets: Object.fromEntries(
                    [['name', 'data-count'], ['worker', 'data-count'], ['queue', 'data-count']]
                        .map(facet)),
                states: Object.fromEntries(
                    [...document.querySelectorAll('[data-testid^=filter-]')].map(
                        chip => [chip.dataset.testid.slice(7), Number(chip.dataset.value)])),
                rows: [...list.querySelectorAll('[data-uuid]')]
                    .sort((a, b) => a.ariaRowIndex - b.ariaRowIndex).slice(0, most).map(row => {
                        const cells = [...row.querySelectorAll('[role=cell]')].map(
                            cell => cell.textContent);
                        const {uuid, state, name = null, worker = null, queue = null} = row.dataset;
                        return {
                            uuid, state, name, worker, queue,
                            retries: cells[heads.indexOf('Retries')],
                            outcome: cells[heads.indexOf('Outcome')],
                        };
                    }),
            };
        }""",
        most,
    )


def true_tasks(shop: Shop, query: str, most: int) -> Any:
    told = shop.tasks(query, facets=1, limit=most, sort="-received")
    facets = {
        key: {value["value"]: value["count"] for value in values if value["value"]}
        for key, values in told["facets"].items()
    }
    return {
        "total": told["total"],
        # The page shows the largest of each, as the list of all would be longer than the list.
        "facets": {key: dict(list(facets[key].items())[:8]) for key in ("name", "worker", "queue")},
        "states": {**dict.fromkeys(STATES, 0), **facets["state"]},
        "rows": [
            {
                **{key: task[key] for key in ("uuid", "state", "name", "worker", "queue")},
                "retries": str(task["retries"]),
                "outcome": task["exception"] or task["result"] or NONE,
            }
            for task in told["tasks"]
        ],
    }


STATES = (
    "PENDING", "RECEIVED", "STARTED", "RETRY", "SUCCESS", "FAILURE", "REVOKED", "REJECTED"
)  # fmt: skip
QUERIES = (
    "",
    "state:failure,revoked",
    "-state:success -queue:checkout",
    "name:charge runtime:>50ms",
    "worker:shop-2 OR retries:>0",
    'exception:"insufficient funds" since:1h',
    "receipt",
)


def test_the_list_and_its_counts_are_the_exact_truth_for_every_query(
    shop: Shop, visitor: Visitor
) -> None:
    for query in ("state:failure,revoked", "retries:>0", "exception:insufficient"):
        shop.task(query)
    # In an order in which no two are the same: that of the last change is told by many clocks.
    page = visitor.open(
        f"{shop.url}/tasks?sort=-received&columns=state,name,worker,queue,retries,outcome"
    )
    with still(shop):
        for query in QUERIES:
            page.get_by_test_id("query").fill(query)
            page.get_by_test_id("query").press("Enter")
            agree(
                partial(shown_tasks, page, 12),
                partial(true_tasks, shop, query, 12),
            )
            assert total(page) > 0, query


def shown_states(page: Page) -> set[str]:
    return set(rows(page).evaluate_all("rows => rows.map(row => row.dataset.state)"))


def test_tasks_are_filtered_by_clicking_and_by_the_address(shop: Shop, visitor: Visitor) -> None:
    page = visitor.open(f"{shop.url}/tasks")
    catches_up(lambda: total(page), lambda: shop.count(""))

    page.get_by_test_id("filter-FAILURE").click()
    expect(page).to_have_url(shop.url + query_address("state:failure"))
    agree(lambda: shown_states(page), lambda: {"FAILURE"})
    catches_up(lambda: total(page), lambda: shop.count("state:failure"))

    page.get_by_test_id("filter-REVOKED").click()
    expect(page).to_have_url(shop.url + query_address("state:failure,revoked"))
    agree(lambda: shown_states(page), lambda: {"FAILURE", "REVOKED"})

    deep = visitor.open(shop.url + query_address("state:failure name:payments.charge"))
    expect(deep.get_by_test_id("filter-FAILURE")).to_have_attribute("aria-pressed", "true")
    agree(lambda: shown_states(deep), lambda: {"FAILURE"})
    catches_up(lambda: total(deep), lambda: shop.count("state:failure name:payments.charge"))
    assert 0 < total(deep) < total(page)
    deep.get_by_role("button", name="Clear the query").click()
    expect(deep).to_have_url(f"{shop.url}/tasks")
    agree(lambda: total(deep) > total(page), lambda: True)


# ---------------------------------------------------------------------- the query bar


def bar(page: Page) -> Locator:
    return page.get_by_test_id("query")


def suggested(page: Page) -> dict[str, str]:
    """What the query bar offers: the text, and the count beside it."""
    offers = page.get_by_test_id("suggestions").get_by_role("option")
    told: list[list[str]] = offers.evaluate_all(
        "all => all.map(one => [one.querySelector('bdi').textContent, one.innerText])"
    )
    return {text: whole.removeprefix(text).strip() for text, whole in told}


def test_typing_suggests_keys_and_then_values_with_their_counts(
    known: Known, visitor: Visitor
) -> None:
    page = visitor.open(f"{known.url}/tasks")
    agree(lambda: total(page), known.count)
    page.keyboard.press("/")
    expect(bar(page)).to_be_focused()
    page.keyboard.type("sta")
    agree(lambda: "state:" in suggested(page), lambda: True)
    page.keyboard.press("Tab")
    expect(bar(page)).to_have_value("state:")
    states = {
        value["value"].lower(): str(value["count"])
        for value in known.tasks("", facets=1, limit=0)["facets"]["state"]
    }
    agree(
        lambda: {key: suggested(page).get(key) for key in states},
        lambda: states,
    )
    page.keyboard.type("fai")
    agree(lambda: next(iter(suggested(page))), lambda: "failure")
    page.keyboard.press("ArrowDown")
    expect(bar(page)).to_have_attribute("aria-activedescendant", "".join([*_active(page)]))
    page.keyboard.press("Enter")
    expect(bar(page)).to_have_value("state:failure ")
    page.keyboard.type("queue:che")
    agree(lambda: suggested(page), lambda: {"checkout": "60"})
    page.keyboard.press("Tab")
    expect(bar(page)).to_have_value("state:failure queue:checkout ")
    page.keyboard.press("Enter")
    expect(page).to_have_url(known.url + query_address("state:failure queue:checkout"))
    expect(page.get_by_test_id("suggestions")).to_be_hidden()
    agree(lambda: total(page), lambda: 60)


def _active(page: Page) -> list[str]:
    """The id of the offer that is marked."""
    marked = page.get_by_test_id("suggestions").locator("[aria-selected=true]")
    expect(marked).to_have_count(1)
    return [marked.get_attribute("id") or "?"]


def test_a_query_that_is_wrong_is_told_at_its_place_and_the_list_stays(
    known: Known, visitor: Visitor
) -> None:
    page = visitor.open(known.url + query_address("state:failure"))
    agree(lambda: total(page), lambda: 60)
    places = []
    for wrong, position in (("nme:x state:failure", 0), ("state:failure nme:x", 14)):
        bar(page).fill(wrong)
        error = page.get_by_test_id("query-error")
        expect(error).to_have_attribute("data-position", str(position))
        expect(error).to_contain_text("name")  # what was meant, probably
        expect(bar(page)).to_have_attribute("aria-invalid", "true")
        mark = error.locator("[aria-hidden=true]").bounding_box()
        assert mark is not None
        places.append(mark["x"])
        assert total(page) == 60
    text = bar(page).bounding_box()
    assert text is not None
    assert abs(places[0] - text["x"]) < 12
    assert text["x"] + 60 < places[1] < text["x"] + 200
    bar(page).fill("state:failure name:charge")
    expect(page.get_by_test_id("query-error")).to_have_count(0)
    agree(lambda: total(page), lambda: 60)


def test_what_is_left_out_is_told_by_a_minus(known: Known, visitor: Visitor) -> None:
    page = visitor.open(f"{known.url}/tasks")
    bar(page).fill("-state:success")
    bar(page).press("Enter")
    expect(page).to_have_url(known.url + query_address("-state:success"))
    agree(lambda: total(page), lambda: known.count("-state:success"))
    assert "SUCCESS" not in shown_states(page)

    # From the counts beside the list, with one click.
    page.goto(f"{known.url}/tasks")
    charge = page.get_by_test_id("facet-name").locator("li[data-value='shop.charge']")
    charge.get_by_role("button", name="All but").click()
    expect(page).to_have_url(known.url + query_address("-name:shop.charge"))
    agree(lambda: total(page), lambda: known.count("-name:shop.charge"))
    expect(bar(page)).to_have_value("-name:shop.charge")


def test_the_back_button_returns_to_the_query_before(known: Known, visitor: Visitor) -> None:
    page = visitor.open(f"{known.url}/tasks")
    queries = ["state:failure", "queue:mail -state:pending"]
    for query in queries:
        bar(page).fill(query)
        bar(page).press("Enter")
        expect(page).to_have_url(known.url + query_address(query))
        agree(lambda: total(page), partial(known.count, query))
    page.get_by_test_id("facet-worker").locator("li[data-value='two@shop'] button").first.click()
    expect(page).to_have_url(known.url + query_address(f"{queries[1]} worker:two@shop"))
    for query in [*reversed(queries), ""]:
        page.go_back()
        expect(bar(page)).to_have_value(query)
        agree(lambda: total(page), partial(known.count, query))
    page.go_forward()
    expect(bar(page)).to_have_value(queries[0])
    agree(lambda: total(page), lambda: 60)


def test_a_link_that_is_copied_shows_another_person_the_same(
    known: Known, visitor: Visitor
) -> None:
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=known.url)
    page = visitor.open(f"{known.url}/tasks")
    bar(page).fill('state:failure exception:"card 1"')
    bar(page).press("Enter")
    page.get_by_role("columnheader", name="Task").get_by_role("button").click()
    agree(lambda: total(page), lambda: 11)
    agree(lambda: "sort=" in page.url, lambda: True)
    page.get_by_test_id("copy-link").click()
    agree(lambda: page.evaluate("navigator.clipboard.readText()"), lambda: page.url)
    other = visitor.open(page.evaluate("navigator.clipboard.readText()"))
    expect(bar(other)).to_have_value('state:failure exception:"card 1"')
    agree(lambda: listed(other), lambda: listed(page))


@pytest.mark.parametrize(
    ("old", "query"),
    [
        ("?state=FAILURE", "state:failure"),
        ("?state=FAILURE&state=STARTED", "state:failure,started"),
        ("?state=FAILURE&name=shop.charge&worker=one@shop", None),
        ("?queue=media", "queue:media"),
    ],
)
def test_links_of_old_arrive(old: str, query: str | None, known: Known, visitor: Visitor) -> None:
    page = visitor.open(f"{known.url}/tasks{old}")
    query = query or "state:failure name:shop.charge worker:one@shop"
    expect(bar(page)).to_have_value(query)
    agree(lambda: total(page), lambda: known.count(query))


# ---------------------------------------------------------------------- one task beside the list


def drawer(page: Page) -> Locator:
    return page.get_by_test_id("drawer")


def test_a_click_opens_a_task_beside_the_list_which_keeps_its_place(
    known: Known, visitor: Visitor
) -> None:
    address = query_address("state:failure")
    page = visitor.open(known.url + address)
    agree(lambda: total(page), lambda: 60)
    the_list = page.get_by_role("table", name="Tasks")
    the_list.evaluate("list => list.scrollTo({top: 700})")
    row = rows(page).nth(25)
    uuid = row.get_attribute("data-uuid") or ""
    row = page.locator(f"[data-testid=tasks] [data-uuid='{uuid}']")
    place = the_list.evaluate("list => list.scrollTop")
    row.locator("[role=cell]").nth(1).click()
    expect(drawer(page)).to_have_attribute("data-uuid", uuid)
    expect(drawer(page).get_by_test_id("exception")).to_contain_text("Declined")
    expect(page).to_have_url(f"{known.url}{address}&task={uuid}")
    expect(row).to_have_attribute("data-chosen", "true")
    assert the_list.evaluate("list => list.scrollTop") == place

    page.go_back()
    expect(drawer(page)).to_have_count(0)
    expect(page).to_have_url(known.url + address)
    assert the_list.evaluate("list => list.scrollTop") == place
    row.locator("[role=cell]").nth(1).click()
    expect(drawer(page)).to_have_attribute("data-uuid", uuid)
    page.get_by_test_id("drawer-close").click()
    expect(drawer(page)).to_have_count(0)
    assert the_list.evaluate("list => list.scrollTop") == place


def test_keys_go_through_the_list_and_open_and_close_a_task(known: Known, visitor: Visitor) -> None:
    address = query_address("state:failure")
    page = visitor.open(known.url + address)
    agree(lambda: total(page), lambda: 60)
    ids = listed(page)
    chosen = page.locator("[data-testid=tasks] [data-chosen]")
    for key, at in (("j", 0), ("j", 1), ("j", 2), ("k", 1), ("ArrowDown", 2), ("ArrowUp", 1)):
        page.keyboard.press(key)
        expect(chosen).to_have_attribute("data-uuid", ids[at])
    page.keyboard.press("Enter")
    expect(drawer(page)).to_have_attribute("data-uuid", ids[1])
    page.keyboard.press("j")
    expect(drawer(page)).to_have_attribute("data-uuid", ids[2])
    expect(page).to_have_url(f"{known.url}{address}&task={ids[2]}")
    page.keyboard.press("Escape")
    expect(drawer(page)).to_have_count(0)
    expect(page).to_have_url(known.url + address)
    expect(chosen).to_have_attribute("data-uuid", ids[2])
    page.keyboard.press("o")
    expect(page).to_have_url(f"{known.url}/tasks/{ids[2]}")
    page.go_back()
    expect(page).to_have_url(known.url + address)
    agree(lambda: listed(page), lambda: ids)


def test_the_drawer_has_an_address(known: Known, visitor: Visitor) -> None:
    address = f"{known.url}{query_address('queue:media')}&task=charge-0007"
    page = visitor.open(address)
    for _ in range(2):
        expect(drawer(page)).to_have_attribute("data-uuid", "charge-0007")
        expect(drawer(page).get_by_test_id("exception")).to_contain_text("card 7")
        agree(lambda: total(page), lambda: known.count("queue:media"))
        page.reload()
    expect(drawer(page).get_by_test_id("exception")).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer(page)).to_have_count(0)
    expect(page).to_have_url(known.url + query_address("queue:media"))


def test_the_list_stands_still_while_somebody_reads_and_counts_what_is_newer(
    known: Known, visitor: Visitor
) -> None:
    page = visitor.open(f"{known.url}/tasks")
    agree(lambda: total(page), known.count)
    page.keyboard.press("j")
    held = page.get_by_test_id("held")
    expect(held).to_have_attribute("data-value", "chosen")
    before = listed(page)
    known.send(*(f"read-{i}" for i in range(5)))
    newer = page.get_by_test_id("newer")
    expect(newer).to_have_attribute("data-count", "5")
    agree(lambda: total(page), known.count)
    assert listed(page) == before
    newer.click()
    agree(lambda: set(listed(page)[:5]), lambda: {f"read-{i}" for i in range(5)})
    expect(newer).to_have_count(0)

    page.get_by_test_id("freeze").click()
    expect(held).to_have_attribute("data-value", "frozen")
    before = listed(page)
    known.send("frozen-1", "frozen-2")
    expect(newer).to_have_attribute("data-count", "2")
    assert listed(page) == before
    page.get_by_test_id("freeze").click()
    agree(lambda: set(listed(page)[:2]), lambda: {"frozen-1", "frozen-2"})
    expect(held).to_have_count(0)


# ---------------------------------------------------------------------- one task


def test_a_failed_task_shows_its_fields_and_its_whole_traceback(
    shop: Shop, visitor: Visitor
) -> None:
    task = shop.task("state:failure name:payments.charge")
    page = visitor.open(f"{shop.url}/tasks/{task['uuid']}")
    true = shop.console.get(f"/api/v1/tasks/{task['uuid']}")
    assert "in charge_card" in true["traceback"]
    expect(page.get_by_test_id("task")).to_have_attribute("data-uuid", task["uuid"])
    expect(page.get_by_test_id("task")).to_have_attribute("data-state", "FAILURE")
    expect(page.get_by_role("heading", level=1)).to_have_text("payments.charge")
    unfold(page)
    assert text_in(page.get_by_test_id("exception")) == true["exception"]
    own = page.get_by_test_id("traceback").locator("[data-own=true]")
    expect(own.first).to_contain_text("charge_card")
    for raw in page.get_by_role("button", name="Raw ").all():
        raw.click()
    for label, field in (
        ("Traceback", "traceback"), ("Positional arguments", "args"), ("Keyword arguments", "kwargs")
    ):  # fmt: skip
        place = page.get_by_role("region", name=label, exact=True)
        assert text_in(place) == true[field]
    for name, value in {
        "Worker": true["worker"],
        "Queue": true["queue"],
        "Retries": str(true["retries"]),
        "Name": true["name"],
        "Routing key": true["routing_key"],
        "Root id": true["root_id"],
    }.items():
        expect(fact(page, name)).to_have_text(value)
    events = page.get_by_test_id("timeline").locator("li")
    assert [event.get_attribute("data-type") for event in events.all()] == [
        moment["type"] for moment in true["timeline"]
    ]


def test_a_task_leads_to_its_parent_its_root_and_its_children(shop: Shop, visitor: Visitor) -> None:
    child = shop.task("parent:* state:success")
    true = shop.console.get(f"/api/v1/tasks/{quote(child['uuid'])}")
    page = visitor.open(f"{shop.url}/tasks/{child['uuid']}")
    family = page.get_by_test_id("family")
    for relative in ("parent", "root"):
        expect(family.locator(f"[data-uuid='{true[relative]['uuid']}']").first).to_be_visible()
    family.locator(f"[data-uuid='{true['parent']['uuid']}'] a").first.click()
    expect(page).to_have_url(f"{shop.url}/tasks/{true['parent']['uuid']}")
    expect(page.get_by_test_id("task")).to_have_attribute("data-uuid", true["parent"]["uuid"])
    parent = shop.console.get(f"/api/v1/tasks/{true['parent']['uuid']}")
    children = family.locator("[data-child][data-uuid]")
    agree(
        lambda: {one.get_attribute("data-uuid") for one in children.all()},
        lambda: {one["uuid"] for one in parent["children"]},
    )
    children.and_(page.locator(f"[data-uuid='{child['uuid']}']")).locator("a").click()
    expect(page.get_by_test_id("task")).to_have_attribute("data-uuid", child["uuid"])
    page.get_by_role("link", name="All of it").click()
    query = f"root:{true['root_id']}"
    expect(page).to_have_url(shop.url + query_address(query))
    agree(lambda: total(page), lambda: shop.count(query))


def test_a_task_that_is_not_known_is_said_to_be_so(shop: Shop, visitor: Visitor) -> None:
    visitor.expected = [r"status of 404"]
    page = visitor.open(f"{shop.url}/tasks/no-such-task")
    expect(page.get_by_text("No such task")).to_be_visible()


def test_flowers_addresses_of_a_task_and_a_worker_arrive(known: Known, visitor: Visitor) -> None:
    page = visitor.open(f"{known.url}/task/charge-0001")
    expect(page).to_have_url(f"{known.url}/tasks/charge-0001")
    expect(page.get_by_test_id("task")).to_have_attribute("data-state", "FAILURE")
    page.goto(f"{known.url}/worker/one@shop")
    expect(page.get_by_role("heading", level=1)).to_contain_text("one@shop")
    await_link(page, "live")
