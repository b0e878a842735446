"""The names of projects, repositories and tags.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-manifests
and Harbor's own rules.
"""

from __future__ import annotations

import re

_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
PROJECT = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
ROBOT = PROJECT
MOST_OF_NAME = 255


def is_repository(text: str) -> bool:
    """Whether a text may be the full name of a repository, such as `team/app`."""
    return len(text) <= MOST_OF_NAME and REPOSITORY.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Whether a text may be a tag."""
    return TAG.fullmatch(text) is not None


def split(name: str) -> tuple[str, str]:
    """The project and the rest of a repository's name."""
    project, _, rest = name.partition("/")
    return project, rest
