"""Programs push articles, look at them, and take them away."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field

from syndicate import __version__
from syndicate.errors import NotFound
from syndicate.services.check_token import PER_TOKEN
from syndicate.services.push_article import Taken, push_article, remove_pushed_article
from syndicate.sources.article_file import LARGEST_FILE, too_large
from syndicate.sources.pushed import from_json, read_json
from syndicate.storage.api_tokens import ApiToken
from syndicate.storage.articles import get_article
from syndicate.storage.pushed_articles import get_pushed
from syndicate.storage.source_items import article_of_item
from syndicate.web.api.answers import ApiError, ApiRoute
from syndicate.web.security.bearer import PushToken

if TYPE_CHECKING:
    from syndicate.core.article import Article
    from syndicate.site import Site

router = APIRouter(prefix="/api/v1", route_class=ApiRoute)


class PushedFields(BaseModel):
    """An article as it is sent. Exactly one of `html`, `markdown` and `text` holds the words."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "42", "title": "The ferry is back"}]})

    id: str = Field(max_length=300, description="Your own stable id. The same id again is the same article.")
    source: str | None = Field(None, description="A source of kind push; needed only where there are several.")
    title: str | None = Field(None, max_length=500, description="Without one, the first heading is the title.")
    html: str | None = Field(None, description="Sanitised on the way in.")
    markdown: str | None = None
    text: str | None = None
    summary: str | None = Field(None, max_length=3000)
    date: str | None = Field(None, description="ISO 8601; without an offset in the publication's zone.")
    updated: str | None = Field(None, description="Moves what feeds show as updated, when it is newer.")
    url: str | None = Field(None, description="The article's own page; without one it gets a page here.")
    section: str | None = None
    tags: list[str] | None = None
    authors: list[str] | None = None
    author: str | None = Field(None, description="Where there is one: read as `authors`.")
    language: str | None = None
    image: str | dict[str, str] | None = Field(
        None, description="An address, or src, alt, credit and use (all, web or none)."
    )
    embargo: str | None = Field(None, description="ISO 8601: not to be published before.")
    draft: bool | None = Field(None, description="Held until it is pushed without, or an editor releases it.")
    breaking: bool | None = None
    rights: str | None = None
    translated_from: str | None = None
    translated_by: str | None = None


class ArticleAnswer(BaseModel):
    """An article as it stands now."""

    id: str = Field(description="Its urn:uuid, the same for ever.")
    external_id: str
    source: str
    result: str = Field(description="new, changed, unchanged, back, carried or missing; '' when only looked at.")
    title: str
    status: str = Field(description="released, waiting, held or gone.")
    hold_reason: str
    until: str | None = Field(description="When it is due, while it waits.")
    number: int | None
    revision: int
    url: str
    warnings: list[str] = Field(description="What whoever sent it should know.")
    content: dict[str, Any] | None = Field(None, description="As it was sent, when it is looked at.")


class Error(BaseModel):
    """What is wrong, in one sentence."""

    message: str
    field: str | None = None
    cure: str | None = None


class ErrorAnswer(BaseModel):
    """One error."""

    error: Error


_RATE = {
    "RateLimit-Policy": "How many requests a token may make, and in how many seconds they come back.",
    "RateLimit": "How many are left to it now, and in how many seconds all of them are.",
}
_WAIT = {"Retry-After": "Seconds to wait.", **_RATE}


def _headers(described: dict[str, str]) -> dict[str, Any]:
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in described.items()}


_NO: dict[int | str, dict[str, Any]] = {
    200: {"headers": _headers(_RATE)},
    401: {"model": ErrorAnswer, "description": "No good token."},
    403: {"model": ErrorAnswer, "description": "The token is for another source."},
    404: {"model": ErrorAnswer, "description": "No such source or article."},
    429: {
        "model": ErrorAnswer,
        "description": f"Too many: a token has {PER_TOKEN.burst} requests at once, then ten a second.",
        "headers": _headers(_WAIT),
    },
}
_NO_PUSH: dict[int | str, dict[str, Any]] = {
    **_NO,
    200: {
        "model": ArticleAnswer,
        "description": "It was known: the same as before, or changed.",
        "headers": _headers(_RATE),
    },
    201: {"headers": _headers(_RATE)},
    413: {"model": ErrorAnswer, "description": f"More than {LARGEST_FILE:,} bytes."},
    422: {"model": ErrorAnswer, "description": "Something in it cannot be used; `field` says what."},
}
_BODY = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": PushedFields.model_json_schema()}}}
}


async def _body(request: Request, token: PushToken) -> bytes:
    """The body, no longer than an article may be; read only for who may push."""
    chunks: list[bytes] = []
    size = 0
    told = request.headers.get("content-length", "0")
    if told.isdigit() and int(told) > LARGEST_FILE:
        raise _too_large(int(told))
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST_FILE:
            raise _too_large(size)
        chunks.append(chunk)
    return b"".join(chunks)


Body = Annotated[bytes, Depends(_body)]
ExternalId = Annotated[str, Path(max_length=1024, description="Your own id of the article.")]
SourceName = Annotated[str, Query(max_length=80, description="Needed only where there are several sources.")]


@router.post("/articles", status_code=201, response_model=ArticleAnswer, responses=_NO_PUSH, openapi_extra=_BODY)
def push(request: Request, response: Response, token: PushToken, raw: Body) -> dict[str, Any]:
    """Push one article. 201 when it is new; 200 when it was known, whether it changed or not."""
    site: Site = request.app.state.site
    article, named = read_json(raw)
    source = site.receiver(_source(site, token, named))
    taken = push_article(
        site.database,
        source,
        article,
        feeds=site.feeds,
        precedence=[each.name for each in site.sources],
        actor=_actor(token),
        now=request.app.state.clock(),
        web_url=site.publication.web_url,
    )
    if not taken.is_new:
        response.status_code = 200
    response.headers["Location"] = f"{request.url.path}/{quote(article.key, safe='')}"
    return _answer(taken.article, source.name, article.key, taken)


@router.get("/articles/{external_id:path}", response_model=ArticleAnswer, responses=_NO)
def look(request: Request, token: PushToken, external_id: ExternalId, source: SourceName = "") -> dict[str, Any]:
    """Look at one article as it was pushed and as it stands."""
    site: Site = request.app.state.site
    name = site.receiver(_source(site, token, source)).name
    with site.database.read() as connection:
        held = get_pushed(connection, name, external_id)
        article_id = article_of_item(connection, name, external_id)
        if held is None or article_id is None:
            raise NotFound(f"Source {name!r} holds nothing under {external_id!r}.", cure="Is the id right?")
        article = get_article(connection, article_id, site.publication.web_url)
    sent = from_json(external_id, held.content)
    content = {"id": external_id, **sent.values, **({sent.kind: sent.body} if sent.body else {})}
    return {**_answer(article, name, external_id), "content": content}


@router.delete("/articles/{external_id:path}", response_model=ArticleAnswer, responses=_NO)
def remove(request: Request, token: PushToken, external_id: ExternalId, source: SourceName = "") -> dict[str, Any]:
    """Take an article away, as if its file were deleted: what was published stays, until an editor retracts it."""
    site: Site = request.app.state.site
    name = site.receiver(_source(site, token, source)).name
    taken = remove_pushed_article(
        site.database,
        name,
        external_id,
        feeds=site.feeds,
        precedence=[each.name for each in site.sources],
        actor=_actor(token),
        now=request.app.state.clock(),
        web_url=site.publication.web_url,
    )
    return _answer(taken.article, name, external_id, taken)


@router.get("/openapi.json", include_in_schema=False)
def openapi() -> dict[str, Any]:
    """What this API offers, for programs that write programs."""
    return _description()


@cache
def _description() -> dict[str, Any]:
    return get_openapi(
        title="Syndicate",
        version=__version__,
        description="Push articles into a publication. Made to be asked twice: the same id is the same article.",
        routes=router.routes,
    )


def _source(site: Site, token: ApiToken, named: str) -> str:
    if token.source:
        if named and named != token.source:
            raise ApiError(403, f"The token {token.name!r} is only for source {token.source!r}.", field="source")
        return token.source
    known = [each.name for each in site.sources if each.kind == "push"]
    if named:
        if named not in known:
            cure = f"Known: {', '.join(known)}." if known else 'A [[sources]] table with kind = "push" makes one.'
            raise ApiError(422, f"No source of kind push is called {named[:80]!r}.", field="source", cure=cure)
        return named
    if not known:
        raise ApiError(
            404, "This site takes no pushed articles.", cure='A [[sources]] table with kind = "push" makes it do so.'
        )
    if len(known) > 1:
        raise ApiError(422, "There are several sources: say which.", field="source", cure=f"Known: {', '.join(known)}.")
    return known[0]


def _answer(article: Article, source: str, external_id: str, taken: Taken | None = None) -> dict[str, Any]:
    return {
        "id": article.id,
        "external_id": external_id,
        "source": source,
        "result": taken.outcome.kind if taken else "",
        "title": article.content.title,
        "status": article.status,
        "hold_reason": article.hold_reason,
        "until": article.not_before.isoformat() if article.not_before and article.status == "waiting" else None,
        "number": article.number,
        "revision": article.revision,
        "url": article.link,
        "warnings": list(taken.outcome.warnings) if taken else [],
    }


def _actor(token: ApiToken) -> str:
    return f"token {token.name}"


def _too_large(size: int) -> ApiError:
    error = too_large(size)
    return ApiError(413, f"The article is too large: {error.message}", cure=error.cure)
