import pytest

from ecns.api.common.selectors import app_selector, label_selector
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


PARTS = {"app.kubernetes.io/part-of": "shop", "tier": "front"}


@pytest.mark.parametrize(
    "text", ["shop", "app.kubernetes.io/part-of=shop", "tier in (front)", "!back,tier", "tier!=back"]
)
def test_an_application_is_selected_by_name_or_by_labels(text: str) -> None:
    test = app_selector(text)
    assert test is not None
    assert test(PARTS)
    assert not test({"app.kubernetes.io/part-of": "other", "tier": "back", "back": ""})


@pytest.mark.parametrize("text", ["tier", "sho", "SHOP", "shop.x"])
def test_what_can_be_a_name_is_one(text: str) -> None:
    test = app_selector(text)
    assert test is not None
    assert not test(PARTS)


def test_no_application_selects_everything() -> None:
    assert app_selector("") is None


@pytest.mark.parametrize("text", ["a b", "=", "shop,", "-shop", "läden"])
def test_refuses_what_is_no_application(text: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        app_selector(text)
    assert caught.value.field == "app_selector"
