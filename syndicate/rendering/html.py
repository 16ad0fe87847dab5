"""HTML from outside made safe, once, on the way in; and the plain text of what is safe.

The allow-list holds what feed readers and mail programs show. nh3 (html5ever) parses and serialises; in its output
every `<` and `>` that is not markup is escaped, in text and in attributes, so the few changes after it work on whole
tags.
"""

from __future__ import annotations

import html as html_module
import re
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import nh3

from syndicate.errors import BadInput
from syndicate.rendering.summary import SUMMARY_LIMIT, summary_of

DEEPEST = 200
"""Nesting allowed: html5ever's time grows with the square of it, and libxml2 cuts off silently at 256."""
MOST_WORK = 4_000_000
"""Nesting × tags allowed: unclosed formatting is opened again in every paragraph, which multiplies."""

MOST_PASSES = 4
"""Markup so broken that its own repair is broken settles after two; the result must be what every reader sees."""

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
# No-break spaces stay: French sets them before ? ! : ; and « ».
_LINE_SPACE = re.compile("[ \t\r\n\x0b\x0c\x1c-\x1f\x85\u2028\u2029]+")

_KEPT_TAGS = {
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "blockquote",
    "q",
    "cite",
    "figure",
    "figcaption",
    "img",
    "a",
    "div",
    "table",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "th",
    "td",
    "caption",
    "strong",
    "b",
    "em",
    "i",
    "code",
    "pre",
    "kbd",
    "samp",
    "var",
    "sup",
    "sub",
    "time",
    "abbr",
    "br",
    "hr",
    "del",
    "ins",
    "s",
    "u",
    "mark",
    "small",
    "ruby",
    "rt",
    "rp",
    "bdi",
    "bdo",
}
# Blocks that mail programs do not know: as plain text of two of them would run together, they become div.
_TO_DIV = {
    "section",
    "article",
    "header",
    "footer",
    "main",
    "aside",
    "address",
    "details",
    "summary",
    "center",
    "fieldset",
    "hgroup",
}
_CONTENT_OUT = {
    "script",
    "style",
    "iframe",
    "object",
    "embed",
    "form",
    "noscript",
    "template",
    "svg",
    "math",
    "title",
    "select",
    "button",
    "textarea",
    "audio",
    "video",
    "canvas",
    "nav",
    "frameset",
    "noframes",
    "applet",
    "map",
    "datalist",
    "dialog",
}
_ATTRIBUTES = {
    "*": {"lang", "dir"},
    "a": {"href", "title", "hreflang"},
    "img": {"src", "alt", "title", "width", "height", "style", "hidden"},
    "ol": {"start", "reversed", "type"},
    "li": {"value"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "time": {"datetime"},
    "abbr": {"title"},
}
_IMG_ATTRIBUTES = ("src", "alt", "title", "width", "height", "lang", "dir")
_VALUES = {
    "width": re.compile(r"\d{1,5}\Z"),
    "height": re.compile(r"\d{1,5}\Z"),
    "colspan": re.compile(r"\d{1,3}\Z"),
    "rowspan": re.compile(r"\d{1,3}\Z"),
    "start": re.compile(r"-?\d{1,6}\Z"),
    "value": re.compile(r"-?\d{1,6}\Z"),
    "type": re.compile(r"[1aAiI]\Z"),
    "scope": re.compile(r"(?:row|col|rowgroup|colgroup)\Z"),
    "dir": re.compile(r"(?:ltr|rtl|auto)\Z"),
    "lang": re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*\Z"),
    "hreflang": re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*\Z"),
}
_TINY_STYLE = re.compile(r"(?:^|[;\s])(?:(?:max-)?(?:width|height)\s*:\s*[01](?:px)?\s*(?:;|!|$)|display\s*:\s*none)")

_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
# Void, or closed by the next of their kind: they never nest by themselves.
_NEVER_DEEP = {
    "area",
    "base",
    "br",
    "col",
    "embed",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "param",
    "source",
    "track",
    "wbr",
    "p",
    "li",
    "dt",
    "dd",
    "td",
    "th",
    "tr",
    "thead",
    "tbody",
    "tfoot",
    "option",
    "optgroup",
    "a",
    "html",
    "head",
    "body",
}
_IMG = re.compile(r"<img(?: [^>]*)?>")
_ATTRIBUTE = re.compile(r' ([a-z]+)="([^"]*)"')
_ANCHOR = re.compile(r"<a(?: [^>]*)?>|</a>")
_RENAMED = re.compile(rf"<(/?)(h1|{'|'.join(sorted(_TO_DIV))})(?=[ >])")
_ANY_TAG = re.compile(r"<[^>]*>")
_BLOCK_TAG = re.compile(
    r"</?(?:p|div|h[1-6]|ul|ol|li|dl|dt|dd|blockquote|figure|figcaption|table|caption|thead|tbody|tfoot|tr|pre|br|hr)"
    r"(?: [^>]*)?>"
)
_CELL_TAG = re.compile(r"</?t[dh](?: [^>]*)?>")
_LEAD_TAG = re.compile(r"<(/?)(p|blockquote|figure|table|ul|ol|dl|pre)(?: [^>]*)?>")


def without_controls(text: str) -> str:
    """The text without the characters that XML 1.0 forbids or advises against (section 2.2): control characters but tab
    and line ends, lone surrogates, U+FFFE, U+FFFF."""
    return _CONTROLS.sub("", text)


def one_line(text: str) -> str:
    """The text as one line fit for a title or a header: no controls, no line ends, no bidirectional overrides."""
    return _LINE_SPACE.sub(" ", _BIDI.sub("", without_controls(text.replace("\x0b", " ").replace("\x0c", " ")))).strip()


def absolute_url(address: str, base: str = "", *, schemes: tuple[str, ...] = ("http", "https")) -> str | None:
    """The absolute address, resolved against `base`; None when it is not one of `schemes` or cannot be resolved."""
    address = re.sub(r"[\t\r\n]", "", without_controls(address)).strip()
    try:
        whole = urljoin(base, address)
        parts = urlsplit(whole)
        _ = parts.port  # raises ValueError for a port that is no number
    except ValueError:
        return None
    if parts.scheme not in schemes or (parts.scheme in ("http", "https") and not parts.hostname):
        return None
    return whole.replace(" ", "%20")


def sanitise(html: str, *, base_url: str = "", dropped: list[str] | None = None) -> str:
    """Safe HTML for feeds, pages and mails, with absolute addresses and without control characters.

    Top headings become h2. Relative addresses are resolved against `base_url`; what cannot be (and `data:` pictures) is
    left out, and `dropped` receives a sentence for each. Measuring pixels go silently. Raises BadInput when the nesting
    is deeper than DEEPEST.
    """
    _refuse_deep(html)
    safe = _one_pass(without_controls(html), base_url, dropped if dropped is not None else [])
    for _ in range(MOST_PASSES):
        again = _one_pass(safe, base_url, [])
        if again == safe:
            return safe
        safe = again
    raise BadInput("its HTML is too broken to be made safe.", cure="Save the text alone.")


def _one_pass(html: str, base_url: str, notes: list[str]) -> str:
    cleaner = nh3.Cleaner(
        tags=_KEPT_TAGS | _TO_DIV,
        clean_content_tags=_CONTENT_OUT,
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute_filter(base_url, notes),
        # The filter above decides; it is shown data: addresses only to say that a picture was left out.
        url_schemes={"http", "https", "mailto", "data"},
        link_rel=None,
    )
    safe = without_controls(cleaner.clean(html))
    safe = _RENAMED.sub(lambda tag: f"<{tag[1]}{'h2' if tag[2] == 'h1' else 'div'}", safe)
    safe = _IMG.sub(lambda tag: _image(tag.group()), safe)
    return _without_empty_anchors(safe).strip()


def _refuse_deep(html: str) -> None:
    depth = deepest = tags = 0
    for tag in _TAG.finditer(html):
        tags += 1
        if tag[2].lower() in _NEVER_DEEP:
            continue
        depth = max(0, depth - 1) if tag[1] else depth + 1
        deepest = max(deepest, depth)
    if deepest > DEEPEST or deepest * tags > MOST_WORK:
        raise BadInput(
            f"its HTML is nested {deepest:,} deep (at most {DEEPEST} is read).",
            cure="Close the elements that are open, or save the text alone.",
        )


def _attribute_filter(base_url: str, notes: list[str]) -> Callable[[str, str, str], str | None]:
    def keep(tag: str, name: str, value: str) -> str | None:
        if name == "href":
            if value.strip().startswith("#"):
                return None  # an address inside the page it was on; here it would lead nowhere
            address = absolute_url(value, base_url, schemes=("http", "https", "mailto"))
            if address is None:
                notes.append(f"A link was left out: {_short(value)!r} is not a web address.")
            return address
        if name == "src":
            address = absolute_url(value, base_url)
            if address is None:
                notes.append(f"A picture was left out: {_short(value)!r} is not a web address.")
            return address
        form = _VALUES.get(name)
        return value if form is None or form.match(value) else None

    return keep


def _short(value: str) -> str:
    return value if len(value) <= 60 else value[:57] + "…"


def _image(tag: str) -> str:
    found = dict(_ATTRIBUTE.findall(tag))
    sizes = [int(found[each]) for each in ("width", "height") if each in found]
    style = html_module.unescape(found.get("style", "")).lower()
    if not found.get("src") or "hidden" in found or any(size <= 1 for size in sizes) or _TINY_STYLE.search(style):
        return ""
    found.setdefault("alt", "")
    return "<img" + "".join(f' {each}="{found[each]}"' for each in _IMG_ATTRIBUTES if each in found) + ">"


def _without_empty_anchors(html: str) -> str:
    kept: list[bool] = []

    def replace(tag: re.Match[str]) -> str:
        if tag.group() == "</a>":
            return tag.group() if not kept or kept.pop() else ""
        kept.append(" href=" in tag.group())
        return tag.group() if kept[-1] else ""

    return _ANCHOR.sub(replace, html)


def text_of(html: str) -> str:
    """The plain text of sanitised HTML: one line for each block, no blank lines."""
    text = _ANY_TAG.sub("", _CELL_TAG.sub(" ", _BLOCK_TAG.sub("\n", _LINE_SPACE.sub(" ", html))))
    lines = (_LINE_SPACE.sub(" ", line).strip() for line in html_module.unescape(text).split("\n"))
    return "\n".join(line for line in lines if line)


def lead_of(html: str) -> str:
    """The first paragraph of sanitised HTML that carries the story (80 characters or more; else the first at all),
    as plain text; quotations, lists, tables and captions are passed over while there is anything else."""
    first = ""
    inside = 0
    start: int | None = None
    for tag in _LEAD_TAG.finditer(html):
        if tag[2] != "p":
            inside = max(0, inside - 1) if tag[1] else inside + 1
        elif not tag[1]:
            start = None if inside else tag.end()
        elif start is not None:
            text = text_of(html[start : tag.start()]).replace("\n", " ")
            start = None
            if len(text) >= 80:
                return text
            first = first or text
    return first or text_of(html).partition("\n")[0]


def summarise(html: str, *, limit: int = SUMMARY_LIMIT) -> str:
    """A summary of sanitised HTML: plain text, from its lead, ending where a sentence ends outside quotation marks."""
    return one_line(summary_of(lead_of(html), limit=limit, whole_text=text_of(html)))
