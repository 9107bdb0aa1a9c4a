"""Phone numbers, e-mail addresses and client IP networks: parsing, folding and masking.

Many mail systems deliver `name+anything@host` to `name@host`, and Gmail ignores dots in the local
part. Limits count such addresses together, so one mailbox has one limit (security X11). Identities
are never compared in this folded form: two people may own two such addresses.

An IPv6 household or server has a whole /64, which counts as one host. A client with many IPv4
addresses usually has adjacent ones (security C6, C11, E4).

SMS pumping asks for codes to numbers that cost money: in far countries, of premium services. Such
a request gets the usual response, and no message is sent.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal, TypeAlias

from msgspec import Struct

from hupan.errors import InvalidField
from hupan.model import Channel, Headers, RequestContext

_DOT_INSENSITIVE_DOMAINS = ("gmail.com", "googlemail.com")


def fold_for_limits(channel: Channel, key: str) -> str:
    """Return the form of a contact under which events are counted; numbers are unchanged."""
    if channel == "sms":
        return key
    local, _, domain = key.lower().rpartition("@")
    host = _ascii_domain(domain)
    name = local.partition("+")[0] or local
    if host in _DOT_INSENSITIVE_DOMAINS:
        name, host = name.replace(".", "") or name, _DOT_INSENSITIVE_DOMAINS[0]
    return f"{name}@{host}"


def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


MAX_CONTACT_CHARACTERS = 320
"""The longest input that is parsed, as on the wire."""
_MAINLAND_PHONE = re.compile(r"(?:\+?86)?(1[0-9]{10})")
_INTERNATIONAL_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
# Separators between the digits of pasted numbers.
_PHONE_SEPARATORS = re.compile(
    "[\t \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000().\\-\u2010-\u2015\u2212\ufe58\u30fb\u00b7]"
)
# Added around it by programs: direction marks, joiners, a byte order mark.
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_LINE_BREAKS = re.compile("[\n\r\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")
_FULL_WIDTH_TO_ASCII = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_PHONE_LIKE = re.compile(r"[+(]*[ (]*[0-9].*")
_DECIMAL_FRACTION = re.compile(r"\.[0-9]")
# No quotes, commas, brackets or colons: some mail systems read those as two addresses. Dots may be
# anywhere before the @, as in addresses of Japanese carriers; the sender quotes such a local part.
_DOMAIN_LABEL = "[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?"
_LENIENT_EMAIL = re.compile(
    rf"[0-9A-Za-z!#$%&'*+/=?^_`{{|}}~.\-]{{1,64}}@{_DOMAIN_LABEL}(?:\.{_DOMAIN_LABEL})*"
)
MAX_EMAIL_CHARACTERS = 254


@dataclass(frozen=True, slots=True)
class ContactAddress:
    """A phone number or e-mail address that a code can be sent to.

    Attributes:
        channel: how messages reach it.
        key: the normal form that is compared, and claimed in `identities`.
        address: the form that messages are sent to and that the owner sees.
    """

    channel: Channel
    key: str
    address: str

    @property
    def identity_kind(self) -> Literal["phone", "email"]:
        return "phone" if self.channel == "sms" else "email"


@dataclass(frozen=True, slots=True)
class ContactParser:
    """Parses contacts according to the server's settings.

    Attributes:
        allow_international: accept phone numbers with country codes other than 86.
        strict_email: apply strict checks to addresses; the reference's own samples fail them.
    """

    allow_international: bool = False
    strict_email: bool = True

    def parse_phone(self, text: str, field: str) -> ContactAddress:
        """Parse a phone number: `1` and ten digits; a leading +86, 0086 or 86 is dropped.

        Pasted formats are accepted, see `normalize_phone`.

        Raises:
            InvalidField: it is not such a number.
        """
        number = normalize_phone(text)
        if match := _MAINLAND_PHONE.fullmatch(number):
            return ContactAddress("sms", match[1], match[1])
        if self.allow_international and _INTERNATIONAL_PHONE.fullmatch(number):
            return self._parse_international(number, field)
        raise InvalidField(field)

    def parse_email(self, text: str, field: str) -> ContactAddress:
        """Parse one ASCII e-mail address; case does not matter in comparisons (security U7).

        An international domain is accepted, stored and sent to in its ASCII form, `xn--…`.

        Raises:
            InvalidField: it is not such an address.
        """
        address = text.strip(" ")
        if not _LENIENT_EMAIL.fullmatch(address) or len(address) > MAX_EMAIL_CHARACTERS:
            raise InvalidField(field)
        if self.strict_email:
            address = _validate_strictly(address, field)
        local, _, domain = address.rpartition("@")
        return ContactAddress("email", address.lower(), f"{local}@{domain.lower()}")

    def parse_contact(self, text: str, field: str) -> ContactAddress:
        """Parse a contact typed by an operator; an address may have a Unicode domain.

        Raises:
            InvalidField: it is neither.
        """
        if "@" in text:
            return self.parse_email(to_ascii_domain(text.strip()), field)
        return self.parse_phone(text, field)

    def _parse_international(self, text: str, field: str) -> ContactAddress:
        import phonenumbers  # noqa: PLC0415 - a large table, needed only if the setting is on

        try:
            number = phonenumbers.parse(text)
        except phonenumbers.NumberParseException as error:
            raise InvalidField(field) from error
        if not phonenumbers.is_valid_number(number) or number.country_code == 86:  # noqa: PLR2004 - China's own form is read above
            raise InvalidField(field)
        key = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        return ContactAddress("sms", key, key)


def _validate_strictly(address: str, field: str) -> str:
    import email_validator  # noqa: PLC0415 - 25 ms at import, not needed to start

    try:
        checked = email_validator.validate_email(
            address, check_deliverability=False, allow_smtputf8=False
        )
    except email_validator.EmailNotValidError as error:
        raise InvalidField(field) from error
    return checked.ascii_email or address


def to_ascii_domain(text: str) -> str:
    """Return the address with its domain in ASCII (UTS 46), or unchanged if it has no such form."""
    local, at, domain = text.rpartition("@")
    if not at or domain.isascii() or len(text) > MAX_CONTACT_CHARACTERS:
        return text
    import email_validator  # noqa: PLC0415 - 25 ms at import, needed only for what is not ASCII

    try:
        read = email_validator.validate_email(
            f"a@{domain}", check_deliverability=False, globally_deliverable=False
        )
    except email_validator.EmailNotValidError:
        return text
    return f"{local}@{read.ascii_domain.lower()}"


def normalize_phone(text: str) -> str:
    """Remove everything around and between the digits of a phone number; "" if it is not one.

    Removed are dashes, dots, brackets, spaces of all kinds and invisible marks; full-width
    characters become ASCII, and `00` before a country code becomes `+`. A single digit after a
    dot is a decimal fraction, so that is not a number.
    """
    if len(text) > MAX_CONTACT_CHARACTERS or _LINE_BREAKS.search(text):
        return ""
    visible = _INVISIBLE.sub("", text).translate(_FULL_WIDTH_TO_ASCII).strip()
    if _DECIMAL_FRACTION.fullmatch(visible[-2:]) or not _PHONE_LIKE.fullmatch(visible):
        return ""
    digits = _PHONE_SEPARATORS.sub("", visible)
    return f"+{digits[2:]}" if digits.startswith("00") else digits


def clean_pasted_id(text: str) -> str:
    """Remove the whitespace and invisible marks around a pasted id."""
    return _INVISIBLE.sub("", text[:MAX_CONTACT_CHARACTERS]).translate(_FULL_WIDTH_TO_ASCII).strip()


def fold_for_search(text: str) -> str:
    """Return the form in which contacts are searched, for text that need not be a whole contact."""
    if "@" in text:
        return to_ascii_domain(text.strip()).lower()
    number = normalize_phone(text)
    if match := _MAINLAND_PHONE.fullmatch(number):
        return match[1]
    return number if re.fullmatch(r"\+?[0-9]{5,}", number) else text.lower()


_MASKABLE_PHONE = re.compile(r"\+?[0-9]{7,15}")
_MASKABLE_EMAIL = re.compile(r"([\x21-\x7e])[\x21-\x7e]{0,63}@([A-Za-z0-9.-]{1,253})")
_UNQUOTED_VALUE = re.compile(r"[A-Za-z0-9_.:@*+/?-]+")
_PHONES_IN_TEXT = re.compile(r"(?<![0-9A-Za-z])\+?[0-9]{7,15}(?![0-9A-Za-z])")
# Pasted formats, see `normalize_phone`: a mobile number of China with spaces or dashes.
_PASTED_PHONES_IN_TEXT = re.compile(
    r"(?<![0-9A-Za-z])(?:(?:\+|00)?86[ ().\u00a0\u2010-\u2015-]{0,3})?"
    r"1(?:[ ().\u00a0\u2010-\u2015-]{0,2}[0-9]){10}(?![0-9A-Za-z])"
)
_EMAILS_IN_TEXT = re.compile(r"[\x21-\x7e]{1,64}@[A-Za-z0-9.-]{1,253}")
# Where such a domain ends is unknown without spaces, so only the part before it is masked.
_IDN_EMAILS_IN_TEXT = re.compile(r"([\x21-\x7e])[\x21-\x7e]{0,63}@(?=[^\x00-\x7f])")
FULLY_MASKED = "?"
"""Stands for text that is not a contact: it may be anything, even a password."""


def mask_contact(target: str) -> str:
    """Mask a number as 139****0001 and an address as a***@example.com; `?` for everything else."""
    text = to_ascii_domain(target.strip()) if "@" in target else normalize_phone(target)
    if chinese := _MAINLAND_PHONE.fullmatch(text):
        text = chinese[1]
    if _MASKABLE_PHONE.fullmatch(text):
        return f"{text[:3]}****{text[-4:]}" if len(text) > len("1234567") else "****"
    email = _MASKABLE_EMAIL.fullmatch(text)
    return f"{email[1]}***@{email[2].lower()}" if email else FULLY_MASKED


def mask_contacts_in(text: str) -> str:
    """Mask the phone numbers and addresses in a text written by an operator."""
    without_numbers = _PASTED_PHONES_IN_TEXT.sub(lambda found: mask_contact(found[0]), text)
    without_numbers = _PHONES_IN_TEXT.sub(lambda found: mask_contact(found[0]), without_numbers)
    without_domains = _IDN_EMAILS_IN_TEXT.sub(r"\1***@", without_numbers)
    return _EMAILS_IN_TEXT.sub(lambda found: mask_contact(found[0]), without_domains)


def format_log_fields(fields: Mapping[str, str]) -> str:
    """Format fields as `key=value`, `-` for none; escape what could end or forge a line."""
    return " ".join(f"{key}={_format_log_value(value)}" for key, value in fields.items())


def _format_log_value(value: str) -> str:
    if not value:
        return "-"
    return value if _UNQUOTED_VALUE.fullmatch(value) else json.dumps(value)


IpAddress: TypeAlias = IPv4Address | IPv6Address
IpNetwork: TypeAlias = IPv4Network | IPv6Network

HOST_PREFIX_BITS = {4: 32, 6: 64}
"""The prefix length of one host, by IP version."""
WIDEST_PREFIX_BITS = {4: 24, 6: 48}
"""The widest network that has separate counters, by IP version."""


class ClientOrigin(Struct, frozen=True):
    """A client address and the networks it is counted under; "" if there is no address.

    Attributes:
        host: the /32 of IPv4, the /64 of IPv6.
        block: the /24 of IPv4, the /64 of IPv6.
        network: the /24 of IPv4, the /48 of IPv6.
        subnet: the /56 of IPv6, which many providers assign to one customer; "" for IPv4.
    """

    address: IpAddress | None
    host: str = ""
    block: str = ""
    network: str = ""
    subnet: str = ""

    @property
    def site(self) -> str:
        """The /48 of IPv6; "" for IPv4."""
        return self.network if self.subnet else ""

    @property
    def ipv4_block(self) -> str:
        """The /24 of IPv4; "" for IPv6."""
        return "" if self.subnet else self.network


UNKNOWN_ORIGIN = ClientOrigin(None)
"""The origin of requests without an address, and of operators."""


def origin_from_address(address: IpAddress | None) -> ClientOrigin:
    if isinstance(address, IPv4Address):
        network = str(IPv4Network((int(address), 24), strict=False))
        return ClientOrigin(address, f"{address}/32", network, network)
    if isinstance(address, IPv6Address):
        host, subnet, network = (
            str(IPv6Network((int(address), prefix), strict=False)) for prefix in (64, 56, 48)
        )
        return ClientOrigin(address, host, host, network, subnet)
    return UNKNOWN_ORIGIN


def iter_origins(network: IpNetwork) -> Iterator[ClientOrigin]:
    """Yield each host of a network once: up to 65,536 if it is as wide as `WIDEST_PREFIX_BITS`."""
    step = HOST_PREFIX_BITS[network.version]
    hosts = network.subnets(new_prefix=step) if network.prefixlen < step else iter([network])
    return (origin_from_address(host.network_address) for host in hosts)


_MAINLAND_NUMBER = re.compile(r"1[0-9]{10}")
_MAINLAND_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_PREFIX_DIGITS = 7


MAX_HOPS = 32
MAX_ADDRESS_CHARACTERS = 80
MAX_CACHED_CLIENTS = 4096
"""Clients whose parsed address is cached; parsing takes longer than the look-up."""
_MAX_CACHED_CHARACTERS = 128
_ADDRESS_WITH_PORT = re.compile(r"\[([^\[\]]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")


class ClientResolver:
    """Resolves the address of clients, also behind reverse proxies.

    Args:
        proxies: the networks of trusted proxies; the header of any other peer is ignored.
        header: the one header in which trusted proxies send the client's address, "" for none.
    """

    def __init__(self, proxies: Sequence[IPv4Network | IPv6Network], header: str) -> None:
        self._proxies = proxies
        self._header = header.encode()
        self._resolve_cached = lru_cache(MAX_CACHED_CLIENTS)(self._resolve_uncached)

    def resolve_address(self, context: RequestContext) -> IpAddress | None:
        """Return the address of the client; None if the socket has none."""
        return self.resolve_origin(context).address

    def resolve_origin(self, context: RequestContext) -> ClientOrigin:
        """Return the rightmost hop that is not a trusted proxy, else the socket's peer.

        Hops are read from the right, because an untrusted hop can forge all hops on its left. An
        unreadable hop, or a list of trusted proxies only, leaves the socket's peer.
        """
        forwarded = _single_header(context.headers, self._header) if self._header else b""
        is_short = len(forwarded) + len(context.peer) <= _MAX_CACHED_CHARACTERS
        return (self._resolve_cached if is_short else self._resolve_uncached)(
            context.peer, forwarded
        )

    def _resolve_uncached(self, peer: str, forwarded: bytes) -> ClientOrigin:
        return origin_from_address(self._client_address(peer, forwarded))

    def _client_address(self, peer: str, forwarded: bytes) -> IpAddress | None:
        socket = parse_client_address(peer)
        if socket is None or not self._header or not self._is_proxy(socket):
            return socket
        for text in _last_hops(forwarded):
            hop = parse_client_address(text)
            if hop is None:
                break
            if not self._is_proxy(hop):
                return hop
        return socket

    def _is_proxy(self, address: IpAddress) -> bool:
        return any(address in network for network in self._proxies)


def parse_client_address(text: str) -> IpAddress | None:
    """Parse an address into one form: without port, brackets and zone, IPv4 never as ::ffff:….

    Returns:
        None for anything else.
    """
    if len(text) > MAX_ADDRESS_CHARACTERS:
        return None
    with_port = _ADDRESS_WITH_PORT.fullmatch(text)
    try:
        address = ip_address(with_port[1] or with_port[2] if with_port else text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(int(address))
    return address


def _single_header(headers: Headers, name: bytes) -> bytes:
    """Return the value of a header; b"" for a repeated one, which the proxy did not overwrite."""
    values = [value for header, value in headers if header == name]
    return values[0] if len(values) == 1 else b""


def _last_hops(forwarded: bytes) -> list[str]:
    hops = forwarded.decode("latin-1").rsplit(",", MAX_HOPS)[-MAX_HOPS:]
    return [hop.strip(" \t") for hop in reversed(hops)]


class SmsDestinations:
    """Decides which phone numbers may receive SMS.

    Args:
        regions: allowed regions besides mainland China, as ISO 3166 codes: `HK`, `SG`.
        enabled: whether any number is refused.
    """

    def __init__(self, regions: Collection[str], *, enabled: bool) -> None:
        self._regions = regions
        self._enabled = enabled

    def is_allowed(self, target: ContactAddress) -> bool:
        """Return whether messages are sent: to all addresses, and to numbers of some regions."""
        if not self._enabled or target.channel == "email":
            return True
        if _MAINLAND_NUMBER.fullmatch(target.key):
            return _MAINLAND_MOBILE.fullmatch(target.key) is not None
        return self._is_allowed_abroad(target.key)

    def _is_allowed_abroad(self, number: str) -> bool:
        import phonenumbers  # noqa: PLC0415 - a large table, needed only if the setting is on

        parsed = phonenumbers.parse(number)
        kinds = (
            phonenumbers.PhoneNumberType.MOBILE,
            phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
        )
        is_mobile = phonenumbers.number_type(parsed) in kinds
        return is_mobile and phonenumbers.region_code_for_number(parsed) in self._regions


def number_prefix(target: ContactAddress) -> str:
    """Return the leading digits shared by adjacent numbers; "" for an e-mail address."""
    digits = target.key.lstrip("+")
    return digits[:_PREFIX_DIGITS] if target.channel == "sms" else ""


def is_loopback_host(host: str) -> bool:
    """Return whether a host name or an address is reached only from this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
