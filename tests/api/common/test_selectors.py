import pytest

from ecns.api.common.selectors import label_selector
from ecns.errors import BadRequestError

LABELS = {"app": "web", "tier": "front", "example.com/owner": "me", "empty": ""}


@pytest.mark.parametrize(
    "text",
    [
        "app=web",
        "app == web",
        "app!=db",
        "missing!=x",
        "app in (web, db)",
        "app notin (db),tier=front",
        "missing notin (a)",
        "app",
        "!missing",
        "example.com/owner=me",
        "empty=",
        "tier in (front,back),app",
    ],
)
def test_selects(text: str) -> None:
    assert label_selector(text)(LABELS)


@pytest.mark.parametrize(
    "text", ["app=db", "!app", "missing", "app notin (web)", "app in (db)", "app!=web", "missing in (a)"]
)
def test_leaves_out(text: str) -> None:
    assert not label_selector(text)(LABELS)


@pytest.mark.parametrize(
    "text", ["app in web", "=", "a b", "app=web,,x", "app in (a/b)", "app=a=b", "(", "app in (a", "-x"]
)
def test_refuses_what_is_no_selector(text: str) -> None:
    with pytest.raises(BadRequestError, match="label selector") as caught:
        label_selector(text)
    assert caught.value.field == "label_selector"
