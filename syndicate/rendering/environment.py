"""Templates: where they are, how they are read, and what a mistake in one looks like."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from traceback import walk_tb
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from syndicate.errors import BadInput
from syndicate.rendering.text import host, shorten, wrap

_PACKAGE = Path(__file__).resolve().parent.parent
_ESCAPED = (".html", ".htm", ".xml", ".xhtml", ".svg")


def shipped_templates() -> Path:
    """The folder of the templates that come with the program: `templates/` of a checkout, else inside the package."""
    checkout = _PACKAGE.parent
    return checkout / "templates" if _is_ours(checkout / "pyproject.toml") else _PACKAGE / "_templates"


def _is_ours(pyproject: Path) -> bool:
    # An installed package may have any folder beside it: only a pyproject that names us makes it a checkout.
    try:
        name = tomllib.loads(pyproject.read_text("utf-8"))["project"]["name"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return name == "syndicate" and (pyproject.parent / "templates").is_dir()


def make_environment(*site_folders: Path) -> jinja2.Environment:
    """Templates of `site_folders`, the first first, then the shipped ones. `shipped/…` always names a shipped one, so
    an override can extend what it replaces. Sandboxed; autoescaped by file name (`.html` is, `.txt` is not); an unknown
    variable is an error, not an empty place."""
    shipped = jinja2.FileSystemLoader(shipped_templates())
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.ChoiceLoader(
            [
                jinja2.PrefixLoader({"shipped": shipped}),
                *(jinja2.FileSystemLoader(folder) for folder in site_folders),
                shipped,
            ]
        ),
        autoescape=_is_escaped,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(shorten=shorten, wrap=wrap, host=host)
    return environment


def _is_escaped(name: str | None) -> bool:
    return name is None or name.lower().endswith(_ESCAPED)


def render(environment: jinja2.Environment, names: str | Sequence[str], context: Mapping[str, Any]) -> str:
    """The first of the templates `names` that exists, rendered.

    Raises BadInput that names the template, the line and the cure, whatever goes wrong in it.
    """
    candidates = [names] if isinstance(names, str) else [*names]
    first = candidates[0]
    try:
        return environment.select_template(candidates).render(context)
    except jinja2.TemplateSyntaxError as error:
        # Before TemplateError: this one carries its own place.
        place = f"{error.filename or error.name or first}, line {error.lineno}"
        raise BadInput(f"{place}: {_sentence(error.message)}", cure="Correct the template.") from error
    except jinja2.TemplateNotFound as error:
        missing = first if isinstance(error, jinja2.TemplatesNotFound) else error.name or first
        raise BadInput(
            f"{_place(error, first)}: there is no template {missing!r}.",
            cure=f"Put it in the site's templates/ folder as {missing}, or correct the name.",
        ) from error
    except Exception as error:
        # A template may raise anything: it runs expressions that somebody wrote for this site.
        raise BadInput(
            f"{_place(error, first)}: {_sentence(str(error) or type(error).__name__)}", cure="Correct the template."
        ) from error


def _place(error: BaseException, fallback: str) -> str:
    """The innermost line of a template on the way to the error."""
    place = fallback
    for frame, line in walk_tb(error.__traceback__):
        # Jinja2 replaces the frames of compiled templates by ones with the template's own file and line.
        if "__jinja_exception__" in frame.f_globals:
            place = f"{frame.f_code.co_filename}, line {line}"
    return place


def _sentence(message: str | None) -> str:
    return f"{(message or 'it cannot be read').rstrip('.')}."
