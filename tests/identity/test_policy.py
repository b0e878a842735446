from __future__ import annotations

import csv
import os
import re
import sys
from pathlib import Path

import pytest
import yaml

from ecns.config import ConfigError
from ecns.errors import ForbiddenError
from ecns.identity.policy import BASE, DECISIONS, DEFAULTS, OPERATIONS, PREFIX, Policy
from tests.identity.callers import caller

WHO = {
    "admin": caller("admin"),
    "manager": caller("manager"),
    "member": caller(),
    "reader": caller("reader"),
    "stranger": caller("load-balancer_member"),
    "nobody": caller(roles=()),
}
ORDER = ["reader", "member", "project_admin", "cloud_admin"]
REACH = {"admin": 4, "manager": 3, "member": 2, "reader": 1, "stranger": 0, "nobody": 0}


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy()


@pytest.mark.parametrize("who", WHO)
def test_who_may_what(policy: Policy, who: str) -> None:
    for name, operation in OPERATIONS.items():
        wanted = REACH[who] > ORDER.index(operation.right)
        assert policy.allows(name, WHO[who], {"project_id": "p1"}) == wanted, name


def test_readers_change_nothing() -> None:
    for operation in OPERATIONS.values():
        assert operation.right != "reader" or operation.method == "GET", operation.name


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("workload.list", "reader"),
        ("pod.logs", "reader"),
        ("pod.terminal", "member"),
        ("raw.create", "member"),
        ("namespace.create", "project_admin"),
        ("namespace.set_quota", "project_admin"),
        ("org.projects", "project_admin"),
        ("storage.delete_pv", "cloud_admin"),
        ("storage.create_class", "cloud_admin"),
    ],
)
def test_the_line_is_drawn_where_it_should(name: str, right: str) -> None:
    assert OPERATIONS[name].right == right


OURS = {"cronjob.attach", "cronjob.detach", "cronjob.run", "job.attach", "job.detach", "pvc.expand"}
OURS |= {"raw.change_cluster", "raw.show_cluster"}
OURS |= {f"vm.{verb}" for verb in ("scale", "start", "stop", "recreate", "delete")}
"""Operations beyond the reference."""


def test_every_operation_of_the_reference_has_its_rule() -> None:
    shared = Path(os.environ.get("ECNS_SHARED") or Path(__file__).resolve().parents[3] / "shared")
    table = shared / "spec" / "operations.tsv"
    if not table.exists():
        pytest.skip(f"no table of operations at {table}: set ECNS_SHARED")
    with table.open(newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if not row["id"].startswith("call.")]
    assert {row["id"] for row in rows} == set(OPERATIONS) - OURS
    for row in rows:
        assert OPERATIONS[row["id"]].method == row["method"], row["id"]


def test_a_refusal_names_the_operation_and_the_roles(policy: Policy) -> None:
    with pytest.raises(ForbiddenError, match=r"workload\.delete is not allowed .*\(reader\)"):
        policy.check("workload.delete", WHO["reader"], {})
    policy.check("workload.delete", WHO["member"], {})


def test_an_operation_that_is_not_there_is_for_nobody(policy: Policy) -> None:
    assert not policy.allows("workload.teleport", WHO["admin"], {})


def test_the_sample_is_the_policy(policy: Policy) -> None:
    uncommented = re.sub(r'(?m)^#"', '"', policy.sample())
    assert yaml.safe_load(uncommented) == DEFAULTS
    assert yaml.safe_load(policy.sample()) is None


def test_a_file_overrides_and_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text('"ecns:workload.scale": "rule:project_admin"\n"cloud_admin": "role:root"\n')
    policy = Policy(file)
    member, admin = caller(), caller("admin", "manager")
    assert not policy.allows("workload.scale", member, {})
    assert not policy.is_cloud_admin(admin)
    assert policy.allows("workload.scale", admin, {})
    file.write_text('"ecns:workload.scale": "rule:reader"')
    assert policy.allows("workload.scale", member, {})
    assert policy.is_cloud_admin(admin)
    file.write_text('"ecns:workload.scale": [broken')
    assert policy.allows("workload.scale", member, {})
    file.write_text('"ecns:workload.scale": "!"')
    assert not policy.allows("workload.scale", admin, {})
    file.unlink()
    assert not policy.allows("workload.scale", admin, {})


def test_rules_may_compare_what_is_done_to(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text('"ecns:workload.scale": "rule:member and project_id:%(project_id)s"')
    policy = Policy(file)
    member = caller()
    for _ in range(2):
        assert policy.allows("workload.scale", member, {"project_id": "p1"})
        assert not policy.allows("workload.scale", member, {"project_id": "p2"})
        assert not policy.allows("workload.scale", member, {})


def test_what_is_remembered_is_bounded(policy: Policy) -> None:
    member = caller()
    for number in range(3 * DECISIONS):
        assert policy.allows("workload.scale", member, {"project_id": str(number)})
    assert len(policy._decided[member]) <= DECISIONS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"ecns:workload.sclae": "@"', "ecns:workload.sclae"),
        ('"ecns:workload.scale": "role:member and"', "ecns:workload.scale"),
        ('"ecns:workload.scale": "rule:nobody_knows"', "ecns:workload.scale"),
        ('"member": "rule:reader"', "names itself"),
        ("- a list", "not rules"),
        ('"a": [1', "not rules"),
        ('"ecns:workload.scale": 3', "not rules"),
        ("plain text", "not rules"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(said)) as refused:
        Policy(file)
    assert "identity.policy_file" in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        Policy(tmp_path / "policy.yaml")


def test_the_base_rules_are_named() -> None:
    assert {operation.right for operation in OPERATIONS.values()} == set(BASE)
    assert all(name in BASE or name.startswith(PREFIX) for name in DEFAULTS)


def test_it_reads_no_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """oslo.config would if it were let."""
    monkeypatch.setattr(sys, "argv", ["ecns", "--nonsense"])
    assert Policy().is_member(WHO["member"])


def test_the_table_of_rights_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "rights.md"
    assert page.read_text() == Policy.table() + "\n", "run `make docs`"
