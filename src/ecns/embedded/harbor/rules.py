"""Immutable tags: rules of a project that say which tags can neither be deleted nor name another artifact."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecns.embedded.harbor.store import Store


@lru_cache(maxsize=1000)
def _expression(pattern: str) -> re.Pattern[str]:
    """A doublestar pattern: `*` and `?` within a piece, `**` across slashes, `{a,b}` either."""
    found, place, depth = "", 0, 0
    while place < len(pattern):
        rest = pattern[place:]
        if rest.startswith("**"):
            found, place = f"{found}.*", place + len(rest) - len(rest.lstrip("*"))
            continue
        letter = rest[0]
        if letter == "*":
            found += "[^/]*"
        elif letter == "?":
            found += "[^/]"
        elif letter == "{" and "}" in rest:
            found, depth = f"{found}(?:", depth + 1
        elif letter == "}" and depth:
            found, depth = f"{found})", depth - 1
        elif letter == "," and depth:
            found += "|"
        else:
            found += re.escape(letter)
        place += 1
    return re.compile(found + ")" * depth, re.DOTALL)


def _selected(selectors: list[dict[str, Any]], text: str) -> bool:
    """Whether every selector takes a name."""
    for selector in selectors:
        matches = _expression(str(selector.get("pattern", ""))).fullmatch(text) is not None
        if str(selector.get("decoration", "")).lower().endswith("excludes"):
            matches = not matches
        if not matches:
            return False
    return True


def immutable(store: Store, project_id: int, repository: str, tag: str) -> bool:
    """Whether a tag of a repository (named without its project) is fixed."""
    for (body,) in store.all("SELECT body FROM rule WHERE project_id = ?", project_id):
        rule = json.loads(body)
        if rule.get("disabled"):
            continue
        repositories = (rule.get("scope_selectors") or {}).get("repository") or []
        if _selected(repositories, repository) and _selected(rule.get("tag_selectors") or [], tag):
            return True
    return False
