"""The table of contents: one line for each endpoint."""

from hupan.api import (
    adverts,
    captcha,
    coins,
    contacts,
    device_settings,
    devices,
    discovery,
    endings,
    invitations,
    login,
    medals,
    personal_data,
    profile_edits,
    profiles,
    remarks,
    verification,
    web,
)
from hupan.api.routing import Routes
from hupan.api.services import Services
from hupan.contract import endpoints


def routes(services: Services) -> Routes:
    """Every endpoint with its handler."""
    routes = Routes(services)
    routes.on(endpoints.captcha, captcha.captcha)
    routes.on(endpoints.get_sms_code, verification.get_sms_code)
    routes.on(endpoints.get_email_code, verification.get_email_code)
    routes.on(endpoints.code_login, login.code_login)
    routes.on(endpoints.email_login, login.email_login)
    routes.on(endpoints.bind_phone, contacts.bind_phone)
    routes.on(endpoints.bind_email, contacts.bind_email)
    routes.on(endpoints.change_phone, contacts.change_phone)
    routes.on(endpoints.change_email, contacts.change_email)
    routes.on(endpoints.reset_password, contacts.reset_password)
    routes.on(endpoints.logout, login.logout)
    routes.on(endpoints.own_info, profiles.own_info)
    routes.on(endpoints.get_user, profiles.get_user)
    routes.on(endpoints.edit_nickname, profile_edits.edit_nickname)
    routes.on(endpoints.edit_avatar, profile_edits.edit_avatar)
    routes.on(endpoints.save_personal_data, personal_data.save_personal_data)
    routes.on(endpoints.get_personal_data, personal_data.get_personal_data)
    routes.on(endpoints.save_remark, remarks.save_remark)
    routes.on(endpoints.coin_record, coins.coin_record)
    routes.on(endpoints.web_coin_record, coins.coin_record)
    routes.on(endpoints.own_medals, medals.own_medals)
    routes.on(endpoints.invite_progress, invitations.invite_progress)
    routes.on(endpoints.change_invitation_code, invitations.change_invitation_code)
    routes.on(endpoints.clients, devices.clients)
    routes.on(endpoints.device_offline, devices.device_offline)
    routes.on(endpoints.cancel_user, endings.cancel_user)
    routes.on(endpoints.discover_categories, discovery.categories)
    routes.on(endpoints.discover_groups, discovery.groups)
    routes.on(endpoints.discover_bots, discovery.bots)
    routes.on(endpoints.ignored_modules, device_settings.ignored_modules)
    routes.on(endpoints.ignore_modules, device_settings.ignore_modules)
    routes.on(endpoints.notification_status, device_settings.notification_status)
    routes.on(endpoints.set_notification, device_settings.set_notification)
    routes.on(endpoints.adverts_shown, adverts.adverts_shown)
    routes.on(endpoints.web_homepage, web.homepage)
    routes.on(endpoints.web_info, web.info)
    return routes
