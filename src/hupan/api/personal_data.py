"""Handlers of what accounts tell of themselves."""

from typing import TypeVar

from msgspec import UnsetType

from hupan.api.services import Services
from hupan.contract.messages.personal_data import OwnPersonalData, PersonalData, PersonalDataEdit
from hupan.contract.table import Anything, Done
from hupan.domain.personal_data import DataEdit
from hupan.model import Caller

Value = TypeVar("Value")


async def save_personal_data(services: Services, caller: Caller, request: PersonalDataEdit) -> Done:
    """Saves the keys that came."""
    edit = DataEdit(
        introduction=_given(request.introduction),
        gender=_given(request.gender),
        birthday=_given(request.birthday),
        province=_given(request.province),
        city=_given(request.city),
        district=_given(request.district),
        location_code=_given(request.location_code),
    )
    await services.personal_data.save(caller.account.id, edit)
    return Done()


async def get_personal_data(
    services: Services, caller: Caller, _request: Anything
) -> OwnPersonalData:
    """All that the caller tells of itself; its id is the account's, for each has one."""
    own = await services.personal_data.find(caller.account)
    return OwnPersonalData(
        PersonalData(
            id=caller.account.id,
            user_id=str(caller.account.id),
            last_login_time=own.last_sign_in_at,
            introduction=own.data.introduction,
            gender=own.data.gender,
            birthday=own.data.birthday,
            province=own.data.province,
            city=own.data.city,
            district=own.data.district,
            location_code=own.data.location_code,
            update_time=own.saved_at,
        )
    )


def _given(value: Value | UnsetType) -> Value | None:
    return None if isinstance(value, UnsetType) else value
