"""`hupan product define`, `hupan product list` and `hupan product stock`."""

from typing import Annotated, Any, TypeAlias

import typer

from hupan.admin.shop import ProductOptions
from hupan.cli.help import make_group
from hupan.cli.language import say
from hupan.cli.output import Column
from hupan.cli.run import AdminCommand, admin_command, admin_list_command

_PRODUCT_COLUMNS = {
    "id": Column(say("编号", "Id")),
    "name": Column(say("名称", "Name"), wraps=True),
    "type": Column(say("类型", "Type"), wide_only=True),
    "days": Column(say("天数", "Days")),
    "price": Column(say("价格", "Price")),
    "priceVip": Column(say("会员价", "VIP price")),
    "stock": Column(say("库存", "Stock")),
    "sold": Column(say("已售", "Sold")),
    "onSale": Column(say("在售", "On sale")),
    "info": Column(say("简介", "Info"), wraps=True, wide_only=True),
    "description": Column(say("说明", "Description"), wraps=True, wide_only=True),
    "images": Column(say("图片", "Images"), wraps=True, wide_only=True),
}
app = make_group(
    say(
        "管理金币商城的商品，可在服务器运行时使用。",
        "Manage the products of the coin shop; the server can be running.",
    ),
    say("管理金币商城", "Manage the coin shop"),
)
NameArgument: TypeAlias = Annotated[
    str, typer.Argument(help=say("名称。", "Name."), show_default=False)
]


def _option(zh: str, en: str, *names: str, metavar: str | None = None) -> Any:  # noqa: ANN401 - the framework calls its options so
    return typer.Option(*names, help=say(zh, en), metavar=metavar, show_default=False)


@app.command(
    "define",
    help=say(
        "定义商品，或修改同名的商品；未写的选项保持不变。\n\n"
        "类型 1 为会员，购买后延长 --days 天；其他类型由您自行发放。",
        "Define a product, or change the existing one of that name; omitted options are "
        "unchanged.\n\nType 1 is VIP for --days days. You deliver products of other types "
        "yourself.",
    ),
    short_help=say("定义商品", "Define a product"),
)
@admin_command
def define(  # noqa: PLR0913 - one for each option
    command: AdminCommand,
    *,
    name: NameArgument,
    price: Annotated[int | None, _option("价格，整数金币。", "Price in whole coins.")] = None,
    price_vip: Annotated[
        int | None, _option("会员价；默认与价格相同。", "Price for VIP. Default: the same.")
    ] = None,
    product_type: Annotated[
        int | None, _option("类型；默认 1（会员）。", "Type. Default: 1 (VIP).", "--type")
    ] = None,
    days: Annotated[int | None, _option("会员天数。", "Days of VIP.")] = None,
    stock: Annotated[int | None, _option("库存件数。", "Pieces in stock.")] = None,
    info: Annotated[str | None, _option("一行简介。", "One line.")] = None,
    description: Annotated[str | None, _option("说明。", "Description.")] = None,
    image: Annotated[
        list[str] | None,
        _option("图片地址，可多次使用。", "URL of an image; repeatable.", metavar="URL"),
    ] = None,
    on_sale: Annotated[
        bool | None, _option("上架或下架。", "Whether clients see it.", "--on-sale/--withdrawn")
    ] = None,
) -> None:
    """Define a product and print it."""
    change = ProductOptions(
        type=product_type,
        cycle=days,
        price=price,
        price_vip=price_vip,
        stock=stock,
        info=info,
        description=description,
        images=image or None,
        on_sale=on_sale,
    )
    row = command.run(
        lambda services: services.shop.define(name, change),
        event="operator-product-define",
        details={"product": name, "price": price, "vip": price_vip, "days": days, "stock": stock},
    )
    command.print_row(row, _PRODUCT_COLUMNS)


@app.command(
    "list",
    help=say("列出全部商品。", "List all products."),
    short_help=say("列出商品", "List products"),
)
@admin_list_command
def list_products(command: AdminCommand) -> None:
    """Print all products."""
    rows = command.run(lambda services: services.shop.list_all())
    command.print_rows(rows, _PRODUCT_COLUMNS)


@app.command(
    "stock",
    help=say(
        "增减商品的库存，或直接设定。", "Add to the stock of a product, take from it, or set it."
    ),
    short_help=say("修改库存", "Change the stock"),
)
@admin_command
def stock(
    command: AdminCommand,
    *,
    name: NameArgument,
    add: Annotated[
        int | None,
        _option("增加的件数，负数为减少。", "Pieces to add; negative to remove."),
    ] = None,
    set_to: Annotated[int | None, _option("设定的件数。", "Set it to this.", "--set")] = None,
) -> None:
    """Change the stock of a product and print it.

    Raises:
        typer.BadParameter: neither or both of the options were given.
    """
    if (add is None) == (set_to is None):
        raise typer.BadParameter(say("--add、--set 须选一个", "--add or --set is required"))
    row = command.run(
        lambda services: services.shop.restock(name, add=add, set_to=set_to),
        event="operator-product-stock",
        details={"product": name, "add": add, "set": set_to},
    )
    command.print_row(row, _PRODUCT_COLUMNS)
