"""The handler of every endpoint."""

from hupan.api import (
    codes,
    coins,
    contacts,
    deletion,
    devices,
    discovery,
    invitations,
    lists,
    login,
    misc,
    profiles,
    shop,
)
from hupan.api.routing import Router, Services
from hupan.contract import endpoints


def build_router(services: Services) -> Router:
    """Join every endpoint with its handler."""
    router = Router(services)
    router.add(endpoints.create_captcha, codes.create_captcha)
    router.add(endpoints.create_slide_captcha, codes.create_slide_captcha)
    router.add(endpoints.send_sms_code, codes.send_sms_code)
    router.add(endpoints.send_email_code, codes.send_email_code)
    router.add(endpoints.code_login, login.code_login)
    router.add(endpoints.email_login, login.email_login)
    router.add(endpoints.logout, login.logout)
    router.add(endpoints.reset_password, contacts.reset_password)
    router.add(endpoints.bind_phone, contacts.bind_phone)
    router.add(endpoints.bind_email, contacts.bind_email)
    router.add(endpoints.change_phone, contacts.change_phone)
    router.add(endpoints.change_email, contacts.change_email)
    router.add(endpoints.get_own_info, profiles.get_own_info)
    router.add(endpoints.get_user, profiles.get_user)
    router.add(endpoints.edit_nickname, profiles.edit_nickname)
    router.add(endpoints.edit_avatar, profiles.edit_avatar)
    router.add(endpoints.save_personal_data, profiles.save_personal_data)
    router.add(endpoints.get_personal_data, profiles.get_personal_data)
    router.add(endpoints.save_remark, profiles.save_remark)
    router.add(endpoints.list_own_medals, profiles.list_own_medals)
    router.add(endpoints.web_get_homepage, profiles.web_get_homepage)
    router.add(endpoints.web_get_own_info, profiles.web_get_own_info)
    router.add(endpoints.list_coin_record, coins.list_coin_record)
    router.add(endpoints.web_list_coin_record, coins.list_coin_record)
    router.add(endpoints.get_invite_progress, invitations.get_invite_progress)
    router.add(endpoints.change_invitation_code, invitations.change_invitation_code)
    router.add(endpoints.list_categories, discovery.list_categories)
    router.add(endpoints.list_groups, discovery.list_groups)
    router.add(endpoints.list_bots, discovery.list_bots)
    router.add(endpoints.get_adverts, discovery.get_adverts)
    router.add(endpoints.list_devices, devices.list_devices)
    router.add(endpoints.logout_device, devices.logout_device)
    router.add(endpoints.get_ignored_modules, devices.get_ignored_modules)
    router.add(endpoints.set_ignored_modules, devices.set_ignored_modules)
    router.add(endpoints.get_notification, devices.get_notification)
    router.add(endpoints.set_notification, devices.set_notification)
    router.add(endpoints.cancel_account, deletion.cancel_account)
    _add_first_screen(router)
    return router


def _add_first_screen(router: Router) -> None:
    """Join what clients ask for after sign-in (wire.md 8.2, 8.3)."""
    router.add(endpoints.list_conversations, lists.list_conversations)
    router.add(endpoints.list_contacts, lists.list_contacts)
    router.add(endpoints.list_friend_requests, lists.list_friend_requests)
    router.add(endpoints.list_sticky, lists.list_sticky)
    router.add(endpoints.dismiss_notification, lists.change_conversations)
    router.add(endpoints.remove_conversation, lists.change_conversations)
    router.add(endpoints.sort_conversations, lists.change_conversations)
    router.add(endpoints.get_beta_info, lists.get_beta_info)
    router.add(endpoints.get_distribution, misc.get_distribution)
    router.add(endpoints.get_upload_sizes, misc.get_upload_sizes)
    router.add(endpoints.get_gray_status, misc.get_gray_status)
    router.add(endpoints.get_task_info, shop.get_task_info)
    router.add(endpoints.list_vip_products, shop.list_vip_products)
    router.add(endpoints.list_vip_benefits, shop.list_vip_benefits)
    router.add(endpoints.web_get_group, discovery.web_get_group)
    router.add(endpoints.web_get_bot, discovery.web_get_bot)
