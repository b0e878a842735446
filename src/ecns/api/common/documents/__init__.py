"""Kubernetes objects as YAML: read as kubectl reads it, and written so that kubectl reads it back."""

from ecns.api.common.documents.reading import Document, DocumentError, read
from ecns.api.common.documents.writing import written

__all__ = ["Document", "DocumentError", "read", "written"]
