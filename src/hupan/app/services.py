"""Puts the services together: each stands on the shared parts, none on how another is made."""

from hupan.api.address import ClientAddresses
from hupan.api.auth_events import AuthEvents
from hupan.api.gates import Gates
from hupan.api.services import Services
from hupan.api.sight import Sight
from hupan.app.limit_table import destinations
from hupan.app.parts import Parts
from hupan.app.places import make_places
from hupan.app.rules import (
    adverts,
    contact_rules,
    edit_rules,
    invitation_rules,
    password_rules,
    session_life,
    shown_by_default,
)
from hupan.domain.captchas import Captchas
from hupan.domain.code_login import CodeLogins
from hupan.domain.common_passwords import load_common_passwords
from hupan.domain.contact_proofs import ContactProofs
from hupan.domain.contact_undo import ContactUndo
from hupan.domain.contacts import Contacts
from hupan.domain.device_settings import DeviceSettings
from hupan.domain.devices import Devices
from hupan.domain.discovery import Discovery
from hupan.domain.endings import Endings
from hupan.domain.invitations import Invitations
from hupan.domain.medals import Medals
from hupan.domain.password_login import PasswordLogins
from hupan.domain.password_reset import PasswordResets
from hupan.domain.password_strength import PasswordStrength
from hupan.domain.personal_data import PersonalDataKeeper
from hupan.domain.privacy import Privacy
from hupan.domain.profile_edits import ProfileEdits
from hupan.domain.profiles import Profiles
from hupan.domain.remarks import Remarks
from hupan.domain.send_limits import SendLimits
from hupan.domain.settings import DAY
from hupan.domain.verification import Verification
from hupan.domain.watch import Watch


def make_services(parts: Parts) -> Services:
    """Everything that the handlers may use."""
    settings, engine, clock = parts.settings, parts.engine, parts.clock
    captchas = _captchas(parts)
    addresses = ClientAddresses(settings.trusted_proxies, settings.client_ip_header)
    return Services(
        clock=clock,
        zone=parts.rules.zone,
        captchas=captchas,
        verification=_verification(parts, captchas),
        code_logins=_code_logins(parts),
        password_logins=_password_logins(parts),
        password_resets=_password_resets(parts),
        contacts=_contacts(parts),
        contact_undo=ContactUndo(engine, clock, parts.notices, contact_rules(settings)),
        sessions=parts.sessions,
        profiles=_profiles(parts),
        profile_edits=ProfileEdits(engine, parts.coins, edit_rules(settings)),
        personal_data=PersonalDataKeeper(engine, clock),
        remarks=Remarks(engine),
        coins=parts.coins,
        medals=Medals(engine),
        invitations=_invitations(parts),
        devices=Devices(engine, clock, session_life(settings)),
        endings=_endings(parts),
        discovery=Discovery(engine),
        device_settings=DeviceSettings(engine, clock),
        adverts=adverts(settings),
        client_addresses=addresses,
        places=make_places(settings),
        auth_events=AuthEvents(addresses, parts.sessions.account_of, parts.counts, clock),
        gates=_gates(parts, addresses),
        on_captcha=parts.outside.on_captcha,
    )


def _gates(parts: Parts, addresses: ClientAddresses) -> Gates:
    """Where nothing is limited, nothing rings an alarm either."""
    settings, is_on = parts.settings, parts.settings.limits_enabled
    watch = Watch(
        parts.alarms,
        parts.clock,
        wrong_percent=settings.wrong_tries_alarm_percent * is_on,
        used_percent=settings.unused_codes_alarm_percent * is_on,
    )
    return Gates(Sight(addresses, parts.clock, parts.alarms, parts.counts), parts.floods, watch)


def _captchas(parts: Parts) -> Captchas:
    chance, lifetime_seconds = parts.outside.chance, parts.rules.captcha_lifetime_seconds
    return Captchas(parts.pictures, parts.seal, parts.clock, chance("captchas"), lifetime_seconds)


def _verification(parts: Parts, captchas: Captchas) -> Verification:
    return Verification(
        parts.engine,
        parts.clock,
        parts.targets,
        captchas,
        parts.codes,
        parts.messages,
        SendLimits(parts.limiter, parts.limits, destinations(parts.settings), parts.alarms),
        parts.courier.wake,
    )


def _code_logins(parts: Parts) -> CodeLogins:
    return CodeLogins(
        parts.engine,
        parts.clock,
        parts.targets,
        parts.codes,
        parts.accounts,
        parts.sessions,
        parts.rules,
    )


def _password_logins(parts: Parts) -> PasswordLogins:
    return PasswordLogins(
        parts.engine,
        parts.clock,
        parts.targets,
        parts.passwords,
        parts.sessions,
        parts.limiter,
        parts.limits,
    )


def _password_resets(parts: Parts) -> PasswordResets:
    return PasswordResets(
        parts.engine,
        parts.clock,
        parts.targets,
        parts.codes,
        parts.passwords,
        PasswordStrength(load_common_passwords(), password_rules(parts.settings)),
        parts.notices,
    )


def _contacts(parts: Parts) -> Contacts:
    return Contacts(
        parts.engine,
        parts.clock,
        parts.targets,
        parts.codes,
        parts.notices,
        ContactProofs(contact_rules(parts.settings)),
    )


def _profiles(parts: Parts) -> Profiles:
    privacy = Privacy(parts.engine, shown_by_default(parts.settings))
    return Profiles(parts.engine, parts.clock, parts.days, privacy)


def _invitations(parts: Parts) -> Invitations:
    rules = invitation_rules(parts.settings)
    return Invitations(parts.engine, parts.clock, parts.days, parts.coins, rules)


def _endings(parts: Parts) -> Endings:
    return Endings(
        parts.engine,
        parts.clock,
        parts.targets,
        parts.codes,
        parts.notices,
        ContactProofs(contact_rules(parts.settings)),
        parts.settings.account_erasure_days * DAY,
    )
