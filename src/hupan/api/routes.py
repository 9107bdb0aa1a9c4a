"""The handler of every endpoint."""

from hupan.api import codes as captcha
from hupan.api import codes as verification
from hupan.api import coins, contacts, devices, discovery, invitations, login, profiles
from hupan.api import deletion as endings
from hupan.api import devices as device_settings
from hupan.api import discovery as adverts
from hupan.api import profiles as medals
from hupan.api import profiles as personal_data
from hupan.api import profiles as profile_edits
from hupan.api import profiles as remarks
from hupan.api import profiles as web
from hupan.api.routing import Router, Services
from hupan.contract import endpoints


def build_router(services: Services) -> Router:
    """Every endpoint with its handler."""
    router = Router(services)
    router.add(endpoints.create_captcha, captcha.create_captcha)
    router.add(endpoints.send_sms_code, verification.send_sms_code)
    router.add(endpoints.send_email_code, verification.send_email_code)
    router.add(endpoints.code_login, login.code_login)
    router.add(endpoints.email_login, login.email_login)
    router.add(endpoints.bind_phone, contacts.bind_phone)
    router.add(endpoints.bind_email, contacts.bind_email)
    router.add(endpoints.change_phone, contacts.change_phone)
    router.add(endpoints.change_email, contacts.change_email)
    router.add(endpoints.reset_password, contacts.reset_password)
    router.add(endpoints.logout, login.logout)
    router.add(endpoints.get_own_info, profiles.get_own_info)
    router.add(endpoints.get_user, profiles.get_user)
    router.add(endpoints.edit_nickname, profile_edits.edit_nickname)
    router.add(endpoints.edit_avatar, profile_edits.edit_avatar)
    router.add(endpoints.save_personal_data, personal_data.save_personal_data)
    router.add(endpoints.get_personal_data, personal_data.get_personal_data)
    router.add(endpoints.save_remark, remarks.save_remark)
    router.add(endpoints.list_coin_record, coins.list_coin_record)
    router.add(endpoints.web_list_coin_record, coins.list_coin_record)
    router.add(endpoints.list_own_medals, medals.list_own_medals)
    router.add(endpoints.get_invite_progress, invitations.get_invite_progress)
    router.add(endpoints.change_invitation_code, invitations.change_invitation_code)
    router.add(endpoints.list_devices, devices.list_devices)
    router.add(endpoints.logout_device, devices.logout_device)
    router.add(endpoints.cancel_account, endings.cancel_account)
    router.add(endpoints.list_categories, discovery.list_categories)
    router.add(endpoints.list_groups, discovery.list_groups)
    router.add(endpoints.list_bots, discovery.list_bots)
    router.add(endpoints.get_ignored_modules, device_settings.get_ignored_modules)
    router.add(endpoints.set_ignored_modules, device_settings.set_ignored_modules)
    router.add(endpoints.get_notification, device_settings.get_notification)
    router.add(endpoints.set_notification, device_settings.set_notification)
    router.add(endpoints.get_adverts, adverts.get_adverts)
    router.add(endpoints.web_get_homepage, web.web_get_homepage)
    router.add(endpoints.web_get_own_info, web.web_get_own_info)
    return router
