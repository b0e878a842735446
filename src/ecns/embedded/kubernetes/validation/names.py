"""The shapes of names, labels, ports and addresses. Each check returns what is wrong, in Kubernetes' words.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
"""

from __future__ import annotations

import ipaddress
import re

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = _LABEL + r"(\." + _LABEL + ")*"
_DNS_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = "(" + _QUALIFIED + ")?"
_KEY = "[-._a-zA-Z0-9]+"
_PATH_KEY = re.compile(_KEY)

LABEL_LENGTH = 63
SUBDOMAIN_LENGTH = 253
_PORT_NAME_LENGTH = 15
_PORTS = range(1, 65536)


def _regex(text: str, pattern: str, *examples: str) -> str:
    listed = "',  or '".join(examples)
    return f"{text} (e.g. '{listed}', regex used for validation is '{pattern}')"


_LABEL_TEXT = _regex(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
_SUBDOMAIN_TEXT = _regex(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
_WILDCARD_TEXT = _regex(
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, "
    "which must consist of lower case alphanumeric characters, '-' or '.' "
    "and end with an alphanumeric character",
    r"\*\." + _SUBDOMAIN,
    "*.example.com",
)
_DNS_1035_TEXT = _regex(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character",
    _DNS_1035,
    "my-name",
    "abc-123",
)
_QUALIFIED_TEXT = _regex(
    "must consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character",
    _QUALIFIED,
    "MyName",
    "my.name",
    "123-abc",
)
_VALUE_TEXT = _regex(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character",
    _VALUE,
    "MyValue",
    "my_value",
    "12345",
)
_KEY_TEXT = _regex(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)
_COMPILED = {
    pattern: re.compile(pattern) for pattern in (_LABEL, _SUBDOMAIN, _DNS_1035, _QUALIFIED, _VALUE, _KEY)
}


def _shape(value: str, pattern: str, text: str, most: int, unit: str = "characters") -> list[str]:
    found = []
    if len(value) > most:
        found.append(f"must be no more than {most} {unit}")
    if not _COMPILED[pattern].fullmatch(value):
        found.append(text)
    return found


def dns_label(value: str) -> list[str]:
    """RFC 1123 label: `my-name`; a name of several labels has a word of its own."""
    found = _shape(value, _LABEL, _LABEL_TEXT, LABEL_LENGTH)
    if found[-1:] == [_LABEL_TEXT] and _COMPILED[_SUBDOMAIN].fullmatch(value):
        found[-1] = "must not contain dots"
    return found


def dns_1035_label(value: str) -> list[str]:
    """RFC 1035 label, which begins with a letter."""
    return _shape(value, _DNS_1035, _DNS_1035_TEXT, LABEL_LENGTH)


def dns_subdomain(value: str) -> list[str]:
    """RFC 1123 subdomain: `example.com`."""
    return _shape(value, _SUBDOMAIN, _SUBDOMAIN_TEXT, SUBDOMAIN_LENGTH)


def wildcard_subdomain(value: str) -> list[str]:
    """`*.example.com`."""
    found = [f"must be no more than {SUBDOMAIN_LENGTH} characters"] if len(value) > SUBDOMAIN_LENGTH else []
    if not value.startswith("*.") or not _COMPILED[_SUBDOMAIN].fullmatch(value[2:]):
        found.append(_WILDCARD_TEXT)
    return found


def path_segment(value: str) -> list[str]:
    """A name that may hold anything but what a path does not (roles and bindings)."""
    if value in {".", ".."}:
        return [f"may not be '{value}'"]
    return [f"may not contain '{sign}'" for sign in ("/", "%") if sign in value]


def generated_base(value: str) -> str:
    """What of a generateName is checked: a dash at its end is as good as a letter."""
    return value[:-1] + "a" if value.endswith("-") and len(value) > 1 else value


def qualified_name(value: str) -> list[str]:
    """A label's or annotation's key: `example.com/name`."""
    parts = value.split("/")
    found: list[str] = []
    if len(parts) == 1:
        name = parts[0]
    elif len(parts) == 2:  # noqa: PLR2004  prefix and name
        prefix, name = parts
        if not prefix:
            found.append("prefix part must be non-empty")
        else:
            found += ["prefix part " + text for text in dns_subdomain(prefix)]
    else:
        text = _QUALIFIED_TEXT.removeprefix("must consist")
        optional = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return [f"a valid label key must consist{text} {optional}"]
    if not name:
        found.append("name part must be non-empty")
    elif len(name) > LABEL_LENGTH:
        found.append(f"name part must be no more than {LABEL_LENGTH} bytes")
    if not _COMPILED[_QUALIFIED].fullmatch(name):
        found.append("name part " + _QUALIFIED_TEXT)
    return found


def label_value(value: str) -> list[str]:
    """A label's value."""
    return _shape(value, _VALUE, _VALUE_TEXT, LABEL_LENGTH, "bytes")


def config_key(value: str) -> list[str]:
    """A key of a ConfigMap or Secret."""
    found = []
    if len(value) > SUBDOMAIN_LENGTH:
        found.append(f"must be no more than {SUBDOMAIN_LENGTH} characters")
    if not _PATH_KEY.fullmatch(value):
        found.append(_KEY_TEXT)
    elif value == ".":
        found.append("must not be '.'")
    elif value == "..":
        found.append("must not be '..'")
    elif value.startswith(".."):
        found.append("must not start with '..'")
    return found


def env_name(value: str) -> list[str]:
    """The name of an environment variable."""
    if value and all(" " <= sign <= "~" and sign != "=" for sign in value):
        return []
    return [
        "a valid environment variable name must consist only of printable ASCII characters other than '='"
    ]


def port_name(value: str) -> list[str]:
    """The name of a container's port."""
    found = []
    if len(value) > _PORT_NAME_LENGTH:
        found.append(f"must be no more than {_PORT_NAME_LENGTH} characters")
    if not re.fullmatch("[-a-z0-9]+", value):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        found.append("must contain at least one letter (a-z)")
    if "--" in value:
        found.append("must not contain consecutive hyphens")
    if value[:1] == "-" or value[-1:] == "-":
        found.append("must not begin or end with a hyphen")
    return found


def port_number(value: int) -> list[str]:
    """A port's number."""
    return [] if value in _PORTS else ["must be between 1 and 65535, inclusive"]


def user_id(value: int) -> list[str]:
    """A user's or group's number."""
    return [] if 0 <= value < 2**31 else ["must be between 0 and 2147483647, inclusive"]


def ip_address(value: str) -> list[str]:
    """An IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return []


def cidr(value: str) -> list[str]:
    """An address with the length of its prefix."""
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        network = False
    else:
        network = "/" in value
    return [] if network else ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]


def canonical_ip(value: str) -> list[str]:
    """An address in its shortest spelling."""
    wrong = ip_address(value)
    if not wrong and str(ipaddress.ip_address(value)) != value:
        return ["must be a canonical format IP address"]
    return wrong


def canonical_cidr(value: str) -> list[str]:
    """A network in its shortest spelling, without bits of a host."""
    wrong = cidr(value)
    if not wrong and str(ipaddress.ip_network(value, strict=False)) != value:
        return [f'must be in canonical form ("{ipaddress.ip_network(value, strict=False)}")']
    return wrong


def percentage(value: str) -> list[str]:
    """`25%`."""
    if re.fullmatch("[0-9]+%", value):
        return []
    text = "a valid percent string must be a numeric string followed by an ending '%'"
    return [_regex(text, "[0-9]+%", "1%", "93%")]
