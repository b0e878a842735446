"""What may go wrong on the way to any upstream: one translation into `ecns.errors`."""

from __future__ import annotations

import re
import ssl

import aiohttp
import msgspec
from aiohttp.http_exceptions import ContentEncodingError

from ecns.errors import UpstreamError, UpstreamInvalidError, UpstreamTimeoutError, UpstreamUnavailableError

MESSAGE_LIMIT = 2000
"""Characters of an upstream's message that reach the caller; an invalid Pod brings 100 KB and more."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]+")


def transport_error(
    where: str, error: Exception, *, upstream: str = "", sent: bool = False, seconds: float = 0.0
) -> UpstreamError:
    """The error for a request that got no whole answer.

    Args:
        where: the upstream as a person calls it, for the message.
        error: what aiohttp, ssl, asyncio or msgspec raised.
        upstream: its name for programs, if that is another one.
        seconds: how long it was waited for; 0: not told.
        sent: it was a change that may have reached the upstream, which the message then says.
    """
    name = upstream or where
    doubt = "; whether it was done is not known" if sent else ""
    match error:
        case UpstreamError():
            return error
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            cause = getattr(error, "certificate_error", error)
            why = getattr(cause, "verify_message", "") or "verification failed"
            return UpstreamUnavailableError(f"{where}: its certificate is not trusted: {why}", upstream=name)
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return UpstreamUnavailableError(f"{where}: no TLS connection: {_short(error)}", upstream=name)
        case aiohttp.ClientHttpProxyError():
            return UpstreamUnavailableError(
                f"{where}: the proxy refuses with HTTP status {error.status}", upstream=name
            )
        case aiohttp.ClientPayloadError(__cause__=ContentEncodingError()):
            return UpstreamInvalidError(f"{where} answered what cannot be unpacked{doubt}", upstream=name)
        case aiohttp.ClientResponseError() | msgspec.MsgspecError() | ValueError():
            return UpstreamInvalidError(f"{where} answered nonsense: {_short(error)}{doubt}", upstream=name)
        case TimeoutError():
            told = seconds and not isinstance(error, aiohttp.ConnectionTimeoutError)
            time = f"within {seconds:g} s" if told else "in time"
            return UpstreamTimeoutError(f"{where} did not answer {time}{doubt}", upstream=name)
        case aiohttp.ClientConnectorError():
            return UpstreamUnavailableError(f"{where} cannot be reached: {_short(error)}", upstream=name)
        case _:
            return UpstreamUnavailableError(f"{where}: the connection broke{doubt}", upstream=name)


def clean(message: str) -> str:
    """An upstream's message without control characters, and not too long."""
    message = _CONTROLS.sub(" ", message)
    return message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"


def _short(error: Exception) -> str:
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    text = (inner.strerror if isinstance(inner, OSError) else "") or str(inner) or type(error).__name__
    return clean(text)[:300]
