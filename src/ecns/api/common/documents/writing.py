"""Kubernetes objects as YAML that kubectl reads back as the same: what it takes for no text is quoted."""

from __future__ import annotations

from typing import Any

import yaml

from ecns.api.common.documents import scalars


class _Dumper(yaml.CSafeDumper):
    """Neither anchors nor aliases, and texts of several lines as such."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  PyYAML's name
        return True


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = None
    if "\n" in value:
        style = "|"
    elif value == scalars.MERGE or not isinstance(scalars.plain(value), str):
        style = '"'
    return dumper.represent_scalar(scalars.TAGS + "str", value, style=style)


_Dumper.add_representer(str, _text)


def written(*objects: Any, sort_keys: bool = False) -> str:
    """Objects as YAML, a document each.

    Args:
        objects: of JSON's types.
        sort_keys: by name, to compare; else as they are.
    """
    text: str = yaml.dump_all(
        objects,
        Dumper=_Dumper,
        allow_unicode=True,
        sort_keys=sort_keys,
        width=1_000_000,
        explicit_start=len(objects) > 1,
    )
    return text
