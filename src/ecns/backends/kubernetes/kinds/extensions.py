"""Custom resources: their definitions, and Applications.

Source: https://kubernetes.io/docs/reference/kubernetes-api/extend-resources/custom-resource-definition-v1/
and https://github.com/kubernetes-sigs/application.
"""

from __future__ import annotations

from msgspec import field

from ecns.backends.kubernetes.kinds.core import Condition, LabelSelector, Status
from ecns.backends.kubernetes.kinds.meta import Kind, Part, Resource


class GroupKind(Part):
    """A kind, whatever its version."""

    group: str = ""
    kind: str = ""


class Descriptor(Part):
    """What people read about an application."""

    type: str = ""
    version: str = ""
    description: str = ""


class ApplicationSpec(Part):
    """What belongs to an application."""

    component_kinds: list[GroupKind] | None = None
    selector: LabelSelector | None = None
    descriptor: Descriptor = field(default_factory=Descriptor)


class ApplicationStatus(Status, frozen=True):
    """How an application is, if its own controller runs."""

    observed_generation: int = 0
    conditions: list[Condition] | None = None


class Application(Resource):
    """An application: members carry its name in the label `app.kubernetes.io/part-of`."""

    spec: ApplicationSpec = field(default_factory=ApplicationSpec)
    status: ApplicationStatus = ApplicationStatus()


class DefinitionNames(Part):
    """How a custom kind is called."""

    kind: str = ""
    plural: str = ""
    singular: str = ""
    list_kind: str = ""
    short_names: list[str] | None = None


class DefinitionVersion(Part):
    """A version of a custom kind."""

    name: str = ""
    served: bool = False
    storage: bool = False


class CustomResourceDefinitionSpec(Part):
    """A custom kind."""

    group: str = ""
    scope: str = ""
    names: DefinitionNames = field(default_factory=DefinitionNames)
    versions: list[DefinitionVersion] = field(default_factory=list)


class CustomResourceDefinitionStatus(Status, frozen=True):
    """Whether a custom kind is served."""

    conditions: list[Condition] | None = None


class CustomResourceDefinition(Resource):
    """The definition of a custom kind."""

    spec: CustomResourceDefinitionSpec = field(default_factory=CustomResourceDefinitionSpec)
    status: CustomResourceDefinitionStatus = CustomResourceDefinitionStatus()


APPLICATION = Kind("app.k8s.io", "v1beta1", "applications", "Application", Application)
CUSTOM_RESOURCE_DEFINITION = Kind(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    CustomResourceDefinition,
    namespaced=False,
)
