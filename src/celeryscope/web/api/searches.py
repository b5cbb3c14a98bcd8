"""`/api/v1/searches`: queries that people keep, their own and those that others share.

Every Struct here is part of the contract with the page, as in `console`. Times are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from celeryscope.errors import NotFound
from celeryscope.history.finding import Sort
from celeryscope.history.searches import MOST_NAME_CHARS, Search
from celeryscope.model.query import LONGEST
from celeryscope.web.api.console import NoQuery, Operation
from celeryscope.web.api.control import Change, Nothing
from celeryscope.web.api.history import kept
from celeryscope.web.services import Services


class SavedSearch(msgspec.Struct, frozen=True, kw_only=True):
    """A query that somebody keeps."""

    id: int
    name: str
    query: str
    sort: Sort
    owner: str  # a user's name; anonymous: where nobody logs in
    yours: bool  # you may remove it; so may an admin
    shared: bool  # everybody sees it who is not limited
    created_at: float


class SearchList(msgspec.Struct, frozen=True, kw_only=True):
    """Your searches and those that others share, by name."""

    now: float
    searches: list[SavedSearch]


class SearchRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A search to be kept; one of yours of that name is replaced."""

    name: Annotated[str, Meta(min_length=1, max_length=MOST_NAME_CHARS)]
    query: Annotated[str, Meta(max_length=LONGEST)]
    sort: Sort = "newest"
    shared: bool = False


def searches(services: Services, _path: Mapping[str, str], _query: NoQuery) -> SearchList:
    """List the searches that you keep, and those that others share."""
    found = kept(services).searches.seen_by(services.actor.name)
    found.sort(key=lambda search: (search.name.casefold(), search.owner, search.id))
    return SearchList(now=services.clock(), searches=[_saved(services, one) for one in found])


def save_search(services: Services, _path: Mapping[str, str], body: SearchRequest) -> SavedSearch:
    """Keep a search."""
    saved = kept(services).searches.save(
        services.actor.name,
        name=body.name,
        query=body.query,
        sort=body.sort,
        shared=body.shared,
        now=services.clock(),
    )
    return _saved(services, saved)


def remove_search(services: Services, path: Mapping[str, str], _body: Nothing) -> SavedSearch:
    """Remove a search of yours; an admin may remove each that is shared."""
    given = path["id"]
    if not (given.isascii() and given.isdecimal() and len(given) < 20):
        raise NotFound("search", given[:60])
    removed = kept(services).searches.remove(
        int(given), owner=services.actor.name, any_owner=services.actor.may("admin")
    )
    return _saved(services, removed)


def _saved(services: Services, search: Search) -> SavedSearch:
    return SavedSearch(
        **{**search._asdict(), "yours": search.owner == services.actor.name},
    )


_REFUSAL = "No history is kept, or you keep too many searches."
SEARCHES = Operation(searches, NoQuery, SearchList, refusal=_REFUSAL)
SAVE = Change(save_search, SearchRequest, SavedSearch, status=201, refusal=_REFUSAL)
REMOVE = Change(remove_search, Nothing, SavedSearch, status=200, refusal=_REFUSAL)
