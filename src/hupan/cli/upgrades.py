"""`hupan upgrade`: what an upgrade of the database will do, and the upgrade itself."""

from dataclasses import asdict
from typing import Annotated

import typer

from hupan.admin.audit import OperatorAction
from hupan.admin.database import migrate_database
from hupan.admin.upgrades import UpgradePlan, plan_upgrade
from hupan.cli.language import say, say_text
from hupan.cli.output import print_faults, print_fields, print_json
from hupan.cli.run import (
    ConfigOption,
    DatabaseOption,
    DataDirOption,
    JsonOption,
    load_settings_or_exit,
    run_operation,
)

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help=say(
        "升级数据库到本版本（hupan serve 启动时也会升级）。加上 --check 则只说明"
        "将做什么、需要多久：在副本上试运行，不改动数据库，服务器可同时运行。",
        "Upgrade the database to this version, as hupan serve does when it starts. With --check, "
        "only print what the upgrade does and how long it takes: it runs on a copy, the database "
        "is not changed, and the server can be running.",
    ),
    short_help=say("升级数据库", "Upgrade the database"),
)
def upgrade(
    *,
    check: Annotated[
        bool, typer.Option("--check", help=say("只检查，不升级。", "Check only; upgrade nothing."))
    ] = False,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Upgrade, or print the plan; exit with 1 when the store cannot be upgraded."""
    settings = load_settings_or_exit(config, {"data_dir": data_dir, "database": database}).settings
    plan = run_operation(settings, lambda: plan_upgrade(settings), None) if check else None
    if plan is None:
        count = run_operation(
            settings,
            lambda: migrate_database(settings),
            OperatorAction("operator-database-migrate"),
            lambda count: {"applied": count},
        )
        typer.echo(say(f"已应用 {count} 个迁移", f"{count} migrations applied"))
        return
    if as_json:
        print_json(asdict(plan) | {"untried": say_text(plan.untried) if plan.untried else ""})
    else:
        _print_plan(plan)
    if plan.faults:
        print_faults(plan.faults)
        raise typer.Exit(1)


def _print_plan(plan: UpgradePlan) -> None:
    print_fields(
        [
            (say("位置", "Location"), plan.place),
            (say("迁移", "Migrations"), f"{plan.applied} → {plan.known}"),
            (say("将应用", "To apply"), ", ".join(plan.missing) or "—"),
            (say("保留副本", "Copy kept"), plan.kept_copy or "—"),
            (say("用时", "Duration"), _describe_duration(plan)),
        ]
    )
    if not plan.missing:
        typer.echo(say("已是最新，无需升级。", "Up to date: nothing to do."))


def _describe_duration(plan: UpgradePlan) -> str:
    if plan.seconds is not None:
        seconds = f"{max(plan.seconds, 0.1):.1f}"
        return say(f"约 {seconds} 秒（已在副本上试运行）", f"about {seconds} s (tried on a copy)")
    return say_text(plan.untried) if plan.untried else "—"
