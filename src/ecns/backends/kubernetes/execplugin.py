"""Credentials from a program: client-go's exec plugins, `client.authentication.k8s.io` v1 and v1beta1.

Source: https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog

from ecns.config import ConfigError
from ecns.errors import UpstreamUnavailableError

_log = structlog.get_logger(__name__)

API_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
RUN_SECONDS = 30.0
"""How long a plugin may take; cloud ones ask their identity service."""
EARLY_SECONDS = 10.0
"""A credential is renewed so long before it expires (a tenth of its life if that is shorter)."""


class _Variable(msgspec.Struct):
    name: str
    value: str = ""


class ExecSpec(msgspec.Struct, rename="camel"):
    """`user.exec` of a kubeconfig."""

    command: str
    api_version: str = ""
    args: list[str] | None = None
    env: list[_Variable] | None = None
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = ""


class _Status(msgspec.Struct, rename="camel"):
    expiration_timestamp: dt.datetime | None = None
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""


class _Credential(msgspec.Struct, rename="camel"):
    api_version: str
    kind: str
    status: _Status | None = None


class Issued(msgspec.Struct, frozen=True):
    """What a plugin gave."""

    token: str
    certificate: str
    """PEM."""
    key: str
    renew_at: float | None
    """Unix time; None: good until refused."""


class ExecPlugin:
    """One plugin of one cluster; it runs once for however many wait.

    Args:
        name: the cluster, for messages.
        spec: the kubeconfig's.
        base: the kubeconfig's directory, for a command with a relative path.
        cluster: what the plugin is told about the cluster when it wants to know.
        environ: the environment it runs in.

    Raises:
        ConfigError: it cannot work without a terminal, or is of an unknown version.
    """

    def __init__(
        self, name: str, spec: ExecSpec, base: Path, cluster: dict[str, Any], environ: Mapping[str, str]
    ) -> None:
        if spec.api_version not in API_VERSIONS:
            raise ConfigError(
                f"clusters.{name}: exec.apiVersion {spec.api_version!r} is none of {', '.join(API_VERSIONS)}"
            )
        if spec.interactive_mode == "Always":
            raise ConfigError(
                f"clusters.{name}: the exec plugin {spec.command!r} wants a terminal, ECNS has none"
            )
        self._where = f"cluster {name}"
        self._spec = spec
        self._command = str(base / spec.command) if os.sep in spec.command else spec.command
        told: dict[str, Any] = {"interactive": False}
        if spec.provide_cluster_info:
            told["cluster"] = cluster
        info = {"apiVersion": spec.api_version, "kind": "ExecCredential", "spec": told}
        self._env = {
            **environ,
            **{variable.name: variable.value for variable in spec.env or ()},
            "KUBERNETES_EXEC_INFO": msgspec.json.encode(info).decode(),
        }
        self._issued: Issued | None = None
        self._running: asyncio.Task[Issued] | None = None

    def same(self, other: ExecPlugin) -> bool:
        """Whether the other would give the same."""
        return (self._command, self._spec, self._env) == (other._command, other._spec, other._env)

    def forget(self, issued: Issued | None) -> None:
        """Do not use this credential again."""
        if self._issued is issued:
            self._issued = None

    async def credential(self) -> Issued:
        """The credential to use now.

        Raises:
            UpstreamUnavailableError: the plugin is not there, fails, hangs or prints junk.
        """
        issued = self._issued
        if issued is not None and (issued.renew_at is None or time.time() < issued.renew_at):
            return issued
        if self._running is None:
            self._running = asyncio.create_task(self._run())
            self._running.add_done_callback(self._ran)
        return await asyncio.shield(self._running)

    def _ran(self, task: asyncio.Task[Issued]) -> None:
        self._running = None
        if not task.cancelled() and task.exception() is None:
            self._issued = task.result()

    def junk(self, what: str) -> UpstreamUnavailableError:
        """The error of a plugin that gives something else."""
        return self._error(f"gave {what}")

    def _error(self, what: str) -> UpstreamUnavailableError:
        return UpstreamUnavailableError(
            f"{self._where}: the exec plugin {self._spec.command!r} {what}", upstream=self._where
        )

    async def _run(self) -> Issued:
        try:
            process = await asyncio.create_subprocess_exec(
                self._command,
                *(self._spec.args or ()),
                env=self._env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            hint = f" ({self._spec.install_hint.strip()})" if self._spec.install_hint else ""
            raise self._error(f"cannot be run: {error.strerror}{hint}") from error
        try:
            async with asyncio.timeout(RUN_SECONDS):
                output, complaints = await process.communicate()
        except TimeoutError as error:
            raise self._error(f"did not end in {RUN_SECONDS:g} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            # What it complains may hold secrets: for the log of the operator, not for callers.
            _log.warning(
                "exec plugin failed",
                command=self._command,
                stderr=complaints[-2000:].decode(errors="replace"),
            )
            raise self._error(f"failed with exit status {process.returncode}")
        return self._read(output)

    def _read(self, output: bytes) -> Issued:
        try:
            credential = msgspec.json.decode(output, type=_Credential)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self.junk("no ExecCredential") from error
        if credential.kind != "ExecCredential" or credential.api_version != self._spec.api_version:
            got = f"{credential.kind} of {credential.api_version}"
            raise self.junk(f"{got}, not ExecCredential of {self._spec.api_version}")
        status = credential.status or _Status()
        token = status.token.strip()
        if not token and not status.client_certificate_data:
            raise self.junk("neither a token nor a certificate")
        if bool(status.client_certificate_data) != bool(status.client_key_data):
            raise self.junk("a certificate without its key, or a key without its certificate")
        if not token.isprintable():
            raise self.junk("a token with characters that no token has")
        renew_at = None
        if expires := status.expiration_timestamp:
            expires = expires if expires.tzinfo else expires.replace(tzinfo=dt.UTC)
            left = expires.timestamp() - time.time()
            renew_at = expires.timestamp() - min(EARLY_SECONDS, max(left, 0) / 10)
        return Issued(token, status.client_certificate_data, status.client_key_data, renew_at)
