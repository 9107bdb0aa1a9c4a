"""What the handlers may use: one frozen bundle, made by the composition root."""

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from hupan.api.address import ClientAddresses
from hupan.api.auth_events import AuthEvents
from hupan.api.gates import Gates
from hupan.clock import Clock
from hupan.domain.captchas import Captchas, IssuedCaptcha
from hupan.domain.code_login import CodeLogins
from hupan.domain.coins import Coins
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
from hupan.domain.personal_data import PersonalDataKeeper
from hupan.domain.profile_edits import ProfileEdits
from hupan.domain.profiles import Profiles
from hupan.domain.remarks import Remarks
from hupan.domain.sessions import Sessions
from hupan.domain.settings import Adverts
from hupan.domain.verification import Verification
from hupan.places.protocol import Places


@dataclass(frozen=True, slots=True)
class Services:
    """The domain, as the front door sees it.

    Attributes:
        on_captcha: told of each captcha that is issued; the sandbox shows the answers.
    """

    clock: Clock
    zone: ZoneInfo
    captchas: Captchas
    verification: Verification
    code_logins: CodeLogins
    password_logins: PasswordLogins
    password_resets: PasswordResets
    contacts: Contacts
    contact_undo: ContactUndo
    sessions: Sessions
    profiles: Profiles
    profile_edits: ProfileEdits
    personal_data: PersonalDataKeeper
    remarks: Remarks
    coins: Coins
    medals: Medals
    invitations: Invitations
    devices: Devices
    endings: Endings
    discovery: Discovery
    device_settings: DeviceSettings
    adverts: Adverts
    client_addresses: ClientAddresses
    places: Places
    auth_events: AuthEvents
    gates: Gates
    on_captcha: Callable[[IssuedCaptcha], None]
