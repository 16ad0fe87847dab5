"""Whether two texts are one article: by declared id, canonical URL or the words, never by title alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from syndicate.core.article import ArticleDraft


@dataclass(frozen=True, slots=True)
class Candidate:
    """An article already known. `gone` when no file of it is left."""

    article_id: str
    source: str
    title: str
    declared_id: str
    canonical_url: str
    text_hash: str
    picture: str
    gone: bool = False


def find_same(draft: ArticleDraft, url: str, source: str, candidates: Iterable[Candidate]) -> Candidate | None:
    """The article that this draft, under a key its source did not have, is another copy of; None when it is new. `url`
    is the draft's canonical address, or "".

    Between sources any agreement counts, save that a bare number as declared id means nothing outside its own source.
    Within one source equal words alone do not merge two files that both stand there (a daily cartoon has the same words
    every day); they do reunite a file with one that is gone, if the picture agrees too."""
    picture = draft.content.image.src if draft.content.image else ""
    best: tuple[int, Candidate] | None = None
    for each in candidates:
        same_source = each.source == source
        declared = bool(draft.declared_id) and (same_source or not draft.declared_id.isdigit())
        if declared and draft.declared_id == each.declared_id:
            strength = 3
        elif url and url == each.canonical_url:
            strength = 2
        elif (
            draft.text_hash
            and draft.text_hash == each.text_hash
            and (not same_source or (each.gone and picture == each.picture))
        ):
            strength = 1
        else:
            continue
        if best is None or strength > best[0]:
            best = (strength, each)
    return best[1] if best else None


def same_words_beside(draft: ArticleDraft, source: str, candidates: Iterable[Candidate]) -> Candidate | None:
    """Another file of the same source with equal words, for a warning: perhaps a copy left behind."""
    if not draft.text_hash:
        return None
    beside = (each for each in candidates if each.source == source and not each.gone)
    return next((each for each in beside if each.text_hash == draft.text_hash), None)


def came_back(draft: ArticleDraft, before: Candidate) -> bool:
    """Whether a file that is back under the path of one that was deleted is that article, perhaps edited, and not
    another that took the path: their ids agree, or nothing declares one and the title or the words are the same."""
    if draft.declared_id and before.declared_id:
        return draft.declared_id == before.declared_id
    return draft.content.title == before.title or bool(draft.text_hash and draft.text_hash == before.text_hash)
