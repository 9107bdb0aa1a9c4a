"""What people are told of the targets that limits pass over for a time."""

from hupan.app.limit_table import exempt_target
from hupan.app.rules import targets
from hupan.config import Settings
from hupan.domain.masks import masked


def exempt_shown(settings: Settings, now: float) -> list[dict[str, object]]:
    """Each exempt target, masked, with its end as it was set, and whether it is in force."""
    its_targets = targets(settings)
    return [
        {
            "target": masked(text),
            "until": settings.limits_exempt_until,
            "inForce": now < settings.limits_exempt_ends_at
            and exempt_target(text, its_targets) is not None,
        }
        for text in settings.limits_exempt
    ]


def exempt_lines(settings: Settings, now: float) -> list[str]:
    """What a server says of them when it starts, in both languages; nothing where none are set."""
    if not settings.limits_exempt:
        return []
    if not settings.limits_exempt_until:
        return [_ignored("未设置 limits_exempt_until", "limits_exempt_until is not set")]
    if settings.limits_exempt_ends_at <= now:
        return [_ignored("limits_exempt_until 已过去", "limits_exempt_until is past")]
    shown = exempt_shown(settings, now)
    number = sum(bool(one["inForce"]) for one in shown)
    told = [f"⚠ 免限至 exempt from limits until {settings.limits_exempt_until}: {number}"]
    if unread := [str(one["target"]) for one in shown if not one["inForce"]]:
        told.append(f"⚠ 忽略 ignored, none of this server's: {', '.join(unread)}")
    return told


def _ignored(zh: str, en: str) -> str:
    return f"⚠ 忽略 limits_exempt：{zh} / limits_exempt is ignored: {en}"
