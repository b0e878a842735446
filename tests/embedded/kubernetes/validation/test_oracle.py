"""Every recorded create, replacement and merge patch, answered by the pure functions alone."""

from __future__ import annotations

import pytest
from tests.embedded.kubernetes.recorded import ORACLE
from tests.embedded.kubernetes.validation.replay import differences

SERVER = "for the server to answer, before or after these rooms"
ALLOCATION = "addresses and node ports are allocated after these rooms"
STATE = "the recording does not show what the controllers wrote before"
KNOWN = {
    "defaults.jsonl": {},
    "errors.jsonl": {
        "err-decoding/46": SERVER,
        "err-field-validation/05": SERVER,
        "err-field-validation/11": SERVER,
        "err-field-validation/13": SERVER,
        "err-services/14": ALLOCATION,
        "err-services/15": ALLOCATION,
        "err-services/17": ALLOCATION,
        "err-services/19": ALLOCATION,
        "err-services/34": ALLOCATION,
        "err-services/35": ALLOCATION,
        "err-storage/20": STATE,
        "err-storage/21": STATE,
        "err-rbac/12": STATE,
        "err-crd/19": "the order of causes varies",
        "err-crd/24": SERVER,
        "err-crd/27": SERVER,
        "err-crd/29": SERVER,
        "err-crd/36": STATE,
        "err-crd/37": STATE,
        "err-conflicts/03": STATE,
        "err-conflicts/11": SERVER,
        "err-conflicts/38": SERVER,
        "err-conflicts/39": SERVER,
        "err-conflicts/40": SERVER,
        "err-methods/05": SERVER,
        "err-pod-security/12": STATE,
        "err-patches/31": SERVER,
        "err-patches/37": SERVER,
        "err-patches/39": SERVER,
        "err-patches/44": SERVER,
    },
    "patches.jsonl": {"put-update/02": SERVER, "put-update/16": SERVER},
}


@pytest.mark.skipif(not ORACLE.exists(), reason=f"no recordings at {ORACLE}")
@pytest.mark.parametrize("file", KNOWN)
def test_recorded_requests_are_answered_as_recorded(file: str) -> None:
    found, compared = differences(file)
    assert compared >= 98
    told = dict(found)
    news = [f"{name}: {why}" for name, why in told.items() if name not in KNOWN[file]]
    assert not news, "\n".join(news)
    assert not set(KNOWN[file]) - set(told), "these do not differ any more"
