"""The reference's types of chapter 1.17."""

from __future__ import annotations

from msgspec import Struct


class Project(Struct):
    """project, and project_selector where the reference leaves out the clusters."""

    project_name: str
    project_id: str


class DomainSelector(Struct):
    """domain_selector: a domain and those of its projects that the caller may see."""

    domain_name: str
    domain_id: str
    projects: list[Project]


class Organization(Struct):
    """The answer of "domains and their projects"."""

    domains_selector: list[DomainSelector]


class Projects(Struct):
    """The answer of "list the projects"."""

    projects: list[Project]
