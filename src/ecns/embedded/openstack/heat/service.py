"""Heat's stacks over HTTP.

Source: https://docs.openstack.org/api-ref/orchestration/v1/
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar

from ecns.embedded.openstack.errors import ProblemError, bad, conflict, forbidden, missing
from ecns.embedded.openstack.heat import sent as sent_as
from ecns.embedded.openstack.heat import template as templates
from ecns.embedded.openstack.heat.documents import new_stack
from ecns.embedded.openstack.heat.engine import Engine
from ecns.embedded.openstack.heat.errors import invalid
from ecns.embedded.openstack.heat.resources import TYPES
from ecns.embedded.openstack.heat.views import HIDDEN, Views
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.service import Call, Service, page

if TYPE_CHECKING:
    from ecns.embedded.openstack.cloud import Cloud
    from ecns.embedded.openstack.heat.template import Template
    from ecns.embedded.openstack.store import Body

_EXPLAINED = {
    400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    403: "Access was denied to this resource.",
    404: "The resource could not be found.",
    409: "There was a conflict when trying to complete your request.",
}
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_.-]{0,254}")
HTML = "text/html; charset=UTF-8"
ACCEPTED = (
    b"<html>\n <head>\n  <title>202 Accepted</title>\n </head>\n <body>\n  <h1>202 Accepted</h1>\n"
    b"  The request is accepted for processing.<br /><br />\n\n\n\n </body>\n</html>"
)
ACTIONS = ("suspend", "resume", "check", "cancel_update", "cancel_without_rollback")
STACKS = 512
"""Stacks that a project may have, as in Heat."""
KEPT = 100
"""Removed stacks that are remembered."""


class Heat(Service):
    """Stacks."""

    prefix = "/orchestration"
    tail = "/v1/%(project_id)s"
    types = ("orchestration", "heat")
    malformed: ClassVar[str] = "JSON body size or content is not valid"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.engine = Engine(cloud)
        self.views = Views(self)
        one = "/stacks/{name}/{id}"
        self.route(
            "GET",
            "/build_info",
            lambda _: Answer(body={"api": {"revision": "ecns"}, "engine": {"revision": "ecns"}}),
        )
        self.route("GET", "/resource_types", self._types)
        self.route("POST", "/validate", self._validated)
        self.route("GET", "/stacks", lambda call: self._listed(call, detail=False))
        self.route("GET", "/stacks/detail", lambda call: self._listed(call, detail=True))
        self.route("POST", "/stacks", self._made, "member", "stacks:create")
        self.route("POST", "/stacks/preview", self._previewed, "member", "stacks:preview")
        self.route("GET", one, lambda call: Answer(body={"stack": self.views.stack(call, self.found(call))}))
        self.route("PUT", one, self._changed, "member", "stacks:update")
        self.route("PATCH", one, self._changed, "member", "stacks:update_patch")
        for method in ("PUT", "PATCH"):
            self.route(method, f"{one}/preview", self._change_previewed, "member", "stacks:preview_update")
        self.route("DELETE", one, self._deleted, "member", "stacks:delete")
        self.route("POST", f"{one}/actions", self._acted, "member", "actions:action")
        self.route("GET", f"{one}/template", lambda call: Answer(body=self.found(call)["template"]))
        self.route("GET", f"{one}/environment", self._environment)
        self.route("GET", f"{one}/files", lambda call: Answer(body=self.found(call)["files"]))
        self.route("GET", f"{one}/outputs", self._outputs)
        self.route("GET", f"{one}/outputs/{{key}}", self._output)
        self.route("GET", f"{one}/resources", lambda call: self.views.resources(call, self.found(call)))
        self.route(
            "GET", f"{one}/resources/{{resource}}", lambda call: self.views.resource(call, self.found(call))
        )
        self.route(
            "PATCH", f"{one}/resources/{{resource}}", self._marked, "member", "resource:mark_unhealthy"
        )
        self.route("GET", f"{one}/events", lambda call: self.views.events(call, self.found(call)))
        self.route(
            "GET",
            f"{one}/resources/{{resource}}/events",
            lambda call: self.views.events(call, self.found(call)),
        )
        self.route("GET", "/stacks/{name}", self._redirected)
        self.route("DELETE", "/stacks/{name}", self._redirected, "member", "stacks:delete")
        for word in ("resources", "events", "template", "outputs"):
            self.route("GET", f"/stacks/{{name}}/{word}", self._redirected)
        # What a name is followed by is no id.
        self._routes.sort(
            key=lambda route: (
                not route.pattern.pattern.startswith("/stacks/(?P<name>[^/]+)/")
                or "(?P<id>" in route.pattern.pattern
            )
        )

    # Manners

    def versions(self, path: str, base: str) -> Answer | None:
        """The one version."""
        if path not in {"", "/"}:
            return None
        link = {"rel": "self", "href": f"{base}/v1/"}
        return Answer(
            HTTPStatus.MULTIPLE_CHOICES, {"versions": [{"id": "v1.0", "status": "CURRENT", "links": [link]}]}
        )

    def enter(self, call: Call) -> Answer | None:
        """The path names the caller's project."""
        found = re.match(r"/v1/([^/]+)", call.path)
        if found is None:
            return self.unknown(call)
        if found[1] != call.caller.project_id:
            raise forbidden("You are not authorized to complete this action.", "Forbidden")
        call.base += found[0]
        call.path = call.path[found.end() :] or "/"
        if (limit := call.text("limit")) and not limit.isdigit():
            raise bad("Only integer is acceptable by 'limit'.", "HTTPBadRequest")
        return None

    def unknown(self, call: Call) -> Answer:  # noqa: ARG002  the protocol's
        """There is no such path."""
        return self.problem(missing("The resource could not be found.", "HTTPNotFound"))

    def problem(self, error: ProblemError) -> Answer:
        """`{"code", "title", "explanation", "error": {"type", "message"}}`."""
        status = HTTPStatus(error.status)
        kind = error.kind or f"HTTP{status.phrase.replace(' ', '')}"
        said = {
            "code": int(status),
            "title": status.phrase,
            "explanation": _EXPLAINED.get(int(status), status.phrase),
            "error": {"type": kind, "traceback": None, "message": error.message},
        }
        return Answer(status, said)

    def disallowed(self, rule: str) -> ProblemError:
        """The policy does not let the caller."""
        return forbidden(f"You are not authorized to use {rule}.", "Forbidden")

    def resume(self) -> None:
        """What was under way has failed."""
        self.engine.resume()

    # Finding

    def _absent(self, name: str) -> ProblemError:
        return missing(f"The Stack ({name}) could not be found.", "EntityNotFound")

    def found(self, call: Call) -> Body:
        """The stack that the path names.

        Raises:
            ProblemError: 404, there is none for the caller.
        """
        stack = self.store.get("stacks", call.names["id"])
        own = stack is not None and stack["project_id"] == call.caller.project_id
        if stack is None or not own or stack["name"] != call.names["name"]:
            raise self._absent(call.names["name"])
        return stack

    def _named(self, call: Call, name: str) -> Body | None:
        for stack in self.owned("stacks", call.caller):
            if name in {stack["name"], stack["id"]} and (not stack["gone"] or name == stack["id"]):
                return stack
        return None

    def _redirected(self, call: Call) -> Answer:
        stack = self._named(call, call.names["name"])
        if stack is None:
            raise self._absent(call.names["name"])
        rest = call.path.removeprefix(f"/stacks/{call.names['name']}")
        location = f"{call.base}/stacks/{stack['name']}/{stack['id']}{rest}"
        if call.query:
            location += "?" + "&".join(f"{key}={value}" for key, value in call.query)
        page_of = (
            "<html>\n <head>\n  <title>302 Found</title>\n </head>\n <body>\n  <h1>302 Found</h1>\n"
            f'  The resource was found at <a href="{location}">{location}</a>;\nyou should be redirected '
            "automatically.\n\n\n </body>\n</html>"
        )
        return Answer(HTTPStatus.FOUND, page_of.encode(), {"Location": location}, HTML)

    def _listed(self, call: Call, *, detail: bool) -> Answer:
        every = call.flag("global_tenant") and call.caller.admin
        found = self.store.all("stacks") if every else self.owned("stacks", call.caller)
        if not call.flag("show_deleted"):
            found = [stack for stack in found if not stack["gone"]]
        if not call.flag("show_nested"):
            found = [stack for stack in found if not stack["parent"]]
        found = [stack for stack in found if self._matches(call, stack)]
        found.reverse()
        if key := call.text("sort_keys").split(",")[0]:
            field = {"stack_name": "name", "creation_time": "created", "updated_time": "updated"}.get(
                key, "status"
            )
            found.sort(key=lambda stack: str(stack[field]), reverse=call.text("sort_dir") == "desc")
        count = len(found)
        found, following = page(
            call, found, lambda marker: missing(f"Marker {marker} could not be found.", "EntityNotFound")
        )
        view = self.views.stack if detail else self.views.brief
        said: Body = {"stacks": [view(call, stack) for stack in found]}
        if following and call.text("limit"):
            said["links"] = [{"rel": "next", "href": f"{call.base}{call.path}?{following}"}]
        if call.flag("with_count"):
            said["count"] = count
        return Answer(body=said)

    def _matches(self, call: Call, stack: Body) -> bool:
        filters: dict[str, list[str]] = {}
        for name, value in call.query:
            filters.setdefault({"stack_name": "name"}.get(name, name), []).append(value)
        status = f"{stack['action']}_{stack['status']}"
        for name, value in (("name", stack["name"]), ("id", stack["id"]), ("action", stack["action"])):
            if name in filters and value not in filters[name]:
                return False
        for name in ("status", "stack_status"):
            if name in filters and not ({status, stack["status"]} & set(filters[name])):
                return False
        has = set(stack["tags"])
        for name, whole, wanted in (
            ("tags", True, True),
            ("tags_any", False, True),
            ("not_tags", True, False),
            ("not_tags_any", False, False),
        ):
            for text in filters.get(name, []):
                asked = set(text.split(","))
                if (asked <= has if whole else bool(asked & has)) is not wanted:
                    return False
        return True

    # Making

    def _sent(self, call: Call) -> Body:
        try:
            sent = call.json()
        except ValueError as error:
            raise bad("The request body is not JSON.", "HTTPBadRequest") from error
        if not isinstance(sent, dict):
            raise bad("The request body must be a JSON object.", "HTTPBadRequest")
        return sent

    def _read(self, sent: Body, before: Body | None = None) -> tuple[Template, Body]:
        """Template of a body, and `given`, `files`, `registry`, `defaults`; what it lacks stays as it was."""
        environment = sent.get("environment") or {}
        if isinstance(environment, str):
            import yaml  # noqa: PLC0415  few send it as text

            environment = yaml.safe_load(environment) or {}
        if not isinstance(environment, dict):
            raise invalid("Environment not in valid format: it is not a valid mapping.", "HTTPBadRequest")
        parameters = sent.get("parameters") or {}
        if not isinstance(parameters, dict):
            raise invalid("Unsupported params type", "HTTPBadRequest")
        given = {**(environment.get("parameters") or {}), **parameters}
        registry = {
            k: v for k, v in (environment.get("resource_registry") or {}).items() if isinstance(v, str)
        }
        about = {
            "given": given,
            "files": sent.get("files") or {},
            "registry": registry,
            "defaults": environment.get("parameter_defaults") or {},
        }
        asked = sent.get("template")
        if before is None:
            return templates.read(asked), about
        about = {key: before[key] | value for key, value in about.items()}
        template = templates.read(before["template"] if asked is None else asked)
        cleared = sent.get("clear_parameters") or []
        about["given"] = {
            key: value
            for key, value in about["given"].items()
            if key in given or (key in template.parameters and key not in cleared)
        }
        return template, about

    def _new(self, call: Call, sent: Body) -> Body:
        name = sent.get("stack_name")
        if not isinstance(name, str) or not name:
            raise bad("No stack name specified", "HTTPBadRequest")
        if not _NAME.fullmatch(name):
            raise invalid(
                f'Invalid stack name {name} must contain only alphanumeric or "_-." characters, must start '
                "with alpha and must be 255 characters or less."
            )
        template, about = self._read(sent)
        caller = call.caller
        return new_stack(
            name,
            template.body,
            **about,
            tags=sent_as.tags(sent.get("tags")),
            timeout=sent_as.minutes(sent.get("timeout_mins")),
            disable_rollback=sent_as.flag(sent.get("disable_rollback"), usual=True),
            project_id=caller.project_id,
            user_id=caller.user_id,
            user=caller.user,
            roles=sorted(caller.roles),
        )

    def _made(self, call: Call) -> Answer:
        stack = self._new(call, self._sent(call))
        if self._named(call, stack["name"]) is not None:
            raise conflict(f"The Stack ({stack['name']}) already exists.", "StackExists")
        own = [one for one in self.owned("stacks", call.caller) if not one["gone"] and not one["parent"]]
        if len(own) >= STACKS:
            raise forbidden(
                f"You have reached the maximum stacks per tenant, {STACKS}. Please delete some stacks.",
                "RequestLimitExceeded",
            )
        self.engine.validate(stack)
        self.engine.create(stack)
        self._forget()
        link = self.views.link(call, stack)
        said = {"stack": {"id": stack["id"], "links": [{"href": link, "rel": "self"}]}}
        return Answer(HTTPStatus.CREATED, said, {"Location": link})

    def _forget(self) -> None:
        gone = [stack for stack in self.store.all("stacks") if stack["gone"]]
        for stack in gone[: max(0, len(gone) - KEPT)]:
            self.store.delete("stacks", stack["id"])

    @staticmethod
    def _types(call: Call) -> Answer:
        pattern = call.text("name")
        found = sorted(kind for kind in TYPES if not pattern or re.match(pattern, kind))
        return Answer(body={"resource_types": found})

    def _previewed(self, call: Call) -> Answer:
        stack = self._new(call, self._sent(call)) | {"id": "None"}
        self.engine.validate(stack)
        said = self.views.stack(call, stack) | {"stack_user_project_id": None, "resources": []}
        del said["stack_status"], said["stack_status_reason"]
        return Answer(body={"stack": said})

    def _validated(self, call: Call) -> Answer:
        template, about = self._read(self._sent(call))
        for name in template.resources:
            kind = template.resources[name]["type"]
            if kind not in TYPES and kind not in (self._sent(call).get("files") or {}):
                raise invalid(f"The Resource Type ({kind}) could not be found.")
        return Answer(body=self.views.validated(template, about["given"]))

    # Changing

    def _changed(self, call: Call) -> Answer:
        stack, sent = self.found(call), self._sent(call)
        about = self._change(call, stack, sent)
        if "tags" in sent or call.method == "PUT":
            stack["tags"] = sent_as.tags(sent.get("tags"))
        if "timeout_mins" in sent:
            stack["timeout"] = sent_as.minutes(sent["timeout_mins"])
        if "disable_rollback" in sent:
            stack["disable_rollback"] = sent_as.flag(sent["disable_rollback"], usual=True)
        self.engine.update(stack, **about)
        return Answer(HTTPStatus.ACCEPTED, ACCEPTED, media=HTML)

    def _change_previewed(self, call: Call) -> Answer:
        stack = self.found(call)
        draft = stack | self._change(call, stack, self._sent(call))
        return Answer(body={"resource_changes": self.views.changes(call, stack, draft)})

    def _change(self, call: Call, stack: Body, sent: Body) -> Body:
        """What a change makes of a stack's template, parameters and so on, checked."""
        if stack["gone"]:
            raise self._absent(stack["name"])
        if stack["action"] == "DELETE" or (
            stack["status"] == "IN_PROGRESS" and stack["action"] in {"SUSPEND", "RESUME"}
        ):
            raise conflict(
                f"Stack {stack['name']} already has an action ({stack['action']}) in progress.",
                "ActionInProgress",
            )
        if stack["action"] == "SUSPEND" and stack["status"] == "COMPLETE":
            raise bad("Updating a stack when it is suspended not supported.", "NotSupported")
        template, about = self._read(sent, stack if call.method == "PATCH" else None)
        about["template"] = template.body
        self.engine.validate(stack | about)
        return about

    def _deleted(self, call: Call) -> Answer:
        stack = self.found(call)
        if stack["gone"]:
            raise self._absent(stack["name"])
        if not (stack["action"] == "DELETE" and stack["status"] == "IN_PROGRESS"):
            self.engine.delete(stack)
        return Answer(HTTPStatus.NO_CONTENT)

    def _acted(self, call: Call) -> Answer:
        stack, sent = self.found(call), self._sent(call)
        if len(sent) != 1:
            raise bad("Only one action is allowed" if sent else "No action specified", "HTTPBadRequest")
        action = next(iter(sent))
        if action not in ACTIONS:
            raise bad(f"Invalid action {action} specified", "HTTPBadRequest")
        if stack["gone"]:
            raise self._absent(stack["name"])
        if action.startswith("cancel"):
            return self._cancelled(stack, rolls_back=action == "cancel_update")
        if stack["status"] == "IN_PROGRESS":
            raise conflict(
                f"Stack {stack['name']} already has an action ({stack['action']}) in progress.",
                "ActionInProgress",
            )
        self.engine.act(stack, action)
        return Answer(body=b"null")

    def _cancelled(self, stack: Body, *, rolls_back: bool) -> Answer:
        if (stack["action"], stack["status"]) != ("UPDATE", "IN_PROGRESS"):
            raise bad(
                "Cancelling update when stack is "
                + str((stack["action"], stack["status"]))
                + " is not supported.",
                "NotSupported",
            )
        before = stack["before"]
        if rolls_back:
            self.engine.update(stack, **before)
        else:
            self.engine.cancel(stack)
            stack |= {"status": "FAILED", "reason": "Stack UPDATE cancelled"}
            self.store.save("stacks", stack)
        return Answer(body=b"null")

    def _marked(self, call: Call) -> Answer:
        stack, sent = self.found(call), self._sent(call)
        record = stack["resources"].get(call.names["resource"])
        if record is None:
            raise missing(
                f"The Resource ({call.names['resource']}) could not be found in Stack {stack['name']}.",
                "ResourceNotFound",
            )
        why = str(sent.get("resource_status_reason") or "")
        status = "FAILED" if sent.get("mark_unhealthy") else "COMPLETE"
        self.engine.events.told(
            stack, call.names["resource"], record, action="CHECK", status=status, reason=why
        )
        return Answer(HTTPStatus.OK)

    # Parts of a stack

    def _environment(self, call: Call) -> Answer:
        stack = self.found(call)
        hidden = self.engine.hidden(stack)

        def shown(values: Body) -> Body:
            return {name: HIDDEN if name in hidden else value for name, value in values.items()}

        said = {
            "resource_registry": {"resources": {}, **stack["registry"]},
            "parameters": shown(stack["given"]),
            "parameter_defaults": shown(stack["defaults"]),
            "event_sinks": [],
            "encrypted_param_names": [],
        }
        return Answer(body=said)

    def _outputs(self, call: Call) -> Answer:
        outputs = self.engine.template(self.found(call)).outputs
        found = [
            {"output_key": key, "description": about.get("description", templates.UNTOLD)}
            for key, about in outputs.items()
        ]
        return Answer(body={"outputs": found})

    def _output(self, call: Call) -> Answer:
        stack, key = self.found(call), call.names["key"]
        about = self.engine.template(stack).outputs.get(key)
        if about is None:
            raise missing(f"Specified output key {key} not found.", "NotFound")
        said = {"output_key": key, "description": about.get("description", templates.UNTOLD)}
        return Answer(body={"output": said | {"output_value": self.engine.outputs(stack)[key]}})
