"""Garbage collection: begun, scheduled, followed, stopped."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.harbor import clock, schedules
from ecns.embedded.harbor.answers import JSON, Answer, created, done, json_of
from ecns.embedded.harbor.collection import MANUAL
from ecns.embedded.harbor.errors import bad_request, invalid, not_found
from ecns.embedded.harbor.query import Column, Listing, keywords, listed
from ecns.embedded.harbor.requests import Shape

if TYPE_CHECKING:
    from ecns.embedded.harbor.requests import Call
    from ecns.embedded.harbor.store import Row

KINDS = ("Hourly", "Daily", "Weekly", "Custom", "Manual", "None", "Schedule")
_OBJECT = Shape("ScheduleObj", {"type": str, "cron": str, "next_scheduled_time": str})
_BODY = Shape("Schedule", {"schedule": _OBJECT, "parameters": dict, "id": int, "status": str})
_COLUMNS = {
    "id": Column("collection.id", "int"),
    "status": Column("collection.status"),
    "trigger": Column("collection.kind"),
    "start_time": Column("collection.created", "time"),
}
_MOST_WORKERS = 5


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _shown(row: Row) -> dict[str, Any]:
    return {
        "creation_time": clock.text(row["created"]),
        "id": row["id"],
        "job_kind": row["kind"],
        "job_name": "GARBAGE_COLLECTION",
        "job_parameters": _compact(json.loads(row["parameters"])),
        "job_status": row["status"],
        "schedule": {"next_scheduled_time": clock.NEVER, "type": row["kind"].capitalize()},
        "update_time": clock.text(row["updated"]),
    }


async def show_schedule(call: Call) -> Answer:
    """GET /system/gc/schedule: nothing at all when there is none."""
    call.require_system("garbage-collection", "read")
    schedule = call.harbor.collector.schedule()
    if schedule is None:
        return Answer(HTTPStatus.OK, b"", JSON)
    workers = schedule.parameters.get("workers")
    parameters = {
        "delete_untagged": schedule.parameters.get("delete_untagged") is True,
        "workers": workers if isinstance(workers, int) else 0,
    }
    time = clock.text(schedule.created)
    return json_of(
        {
            "creation_time": time,
            "id": schedule.id,
            "job_kind": schedule.cron,
            "job_parameters": _compact(parameters),
            "job_status": "Running",
            "schedule": {
                "cron": schedule.cron,
                "next_scheduled_time": clock.text(schedules.next_time(schedule.cron, clock.now())),
                "type": schedule.kind,
            },
            "update_time": time,
        }
    )


async def _set(call: Call) -> int | None:
    """Do what the body says: the id of a run that begins, 0 for none, None for a body of nothing."""
    body = await call.body("schedule", _BODY)
    schedule = body.get("schedule")
    kind = (schedule or {}).get("type", "")
    if kind and kind not in KINDS:
        raise invalid(f"type in body should be one of [{' '.join(KINDS)}]", 3)
    call.require_system("garbage-collection", "create" if call.method == "POST" else "update")
    if schedule is None:
        return None
    collector, parameters = call.harbor.collector, body.get("parameters") or {}
    workers = parameters.get("workers")
    if (
        isinstance(workers, int | float)
        and not isinstance(workers, bool)
        and not 0 < workers <= _MOST_WORKERS
    ):
        raise bad_request(
            f"Error: Invalid number of workers:{int(workers)}. Workers must be greater than 0 and less than"
            f" or equal to {_MOST_WORKERS}."
        )
    if kind == "Manual":
        return collector.begin(MANUAL, parameters)
    if kind == "None":
        collector.drop_schedule()
    elif kind not in {"", "Schedule"}:
        cron = schedule.get("cron", "")
        schedules.check(cron)
        collector.set_schedule(kind, cron, parameters)
    return 0


async def create_schedule(call: Call) -> Answer:
    """POST /system/gc/schedule: a run now, or a schedule in place of the one that is there."""
    identity = await _set(call)
    if identity is None:
        return Answer(HTTPStatus.INTERNAL_SERVER_ERROR)
    return created(f"/api/v2.0/system/gc/{identity}")


async def update_schedule(call: Call) -> Answer:
    """PUT /system/gc/schedule."""
    if await _set(call) is None:
        return Answer(HTTPStatus.INTERNAL_SERVER_ERROR)
    return done()


async def list_all(call: Call) -> Answer:
    """GET /system/gc: the runs, the newest first."""
    call.require_system("garbage-collection", "list")
    listing = Listing("collection", _COLUMNS, "collection.created DESC, collection.id DESC")
    listing.narrow(keywords(call.text("q")))
    rows, total = listing.page(call.harbor.store, call, "*")
    return listed(call, [_shown(row) for row in rows], total)


def _row(call: Call, missing: str) -> Row:
    identity = call.number_in_path("gc_id")
    row = call.harbor.store.one("SELECT * FROM collection WHERE id = ?", identity)
    if row is None:
        raise not_found(missing.format(identity))
    return row


async def show(call: Call) -> Answer:
    """GET /system/gc/{id}."""
    call.number_in_path("gc_id")
    call.require_system("garbage-collection", "read")
    return json_of(_shown(_row(call, "garbage collection execution {} not found")))


async def log(call: Call) -> Answer:
    """GET /system/gc/{id}/log: text; of a run that has not begun there is none."""
    call.number_in_path("gc_id")
    call.require_system("garbage-collection", "read")
    row = _row(call, "garbage collection {} log is not found")
    lines = call.harbor.collector.log_of(row["id"])
    if not lines:
        job = f"{row['id']:024x}"
        raise not_found(f'{{"code":10010,"message":"object is not found","details":"{job}"}}')
    return Answer(HTTPStatus.OK, lines.encode() + b"\n", "text/plain")


async def stop(call: Call) -> Answer:
    """PUT /system/gc/{id}."""
    call.number_in_path("gc_id")
    call.require_system("garbage-collection", "stop")
    call.harbor.collector.stop(_row(call, "execution {} not found"))
    return done()
