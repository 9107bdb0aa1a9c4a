"""Products of the coin shop and the orders of accounts."""

from hupan.model import AccountId, Product
from hupan.store.accounts import next_number
from hupan.store.database import Reader, Transaction

PRODUCT_COLUMNS = """
  id, name, type, cycle, info, description, image_urls, price, price_vip, stock, sold,
  withdrawn_at, created_at, updated_at
"""
LIST_PRODUCTS = f"SELECT {PRODUCT_COLUMNS} FROM products ORDER BY id"
FIND_PRODUCT = f"SELECT {PRODUCT_COLUMNS} FROM products WHERE id = ?1"
FIND_PRODUCT_BY_NAME = f"SELECT {PRODUCT_COLUMNS} FROM products WHERE name = ?1 /* FOR UPDATE */"
# Orders of one product come one after the other: what is true of it stays true until the end.
LOCK_PRODUCT = f"{FIND_PRODUCT} /* FOR UPDATE */"
FIND_LAST_PRODUCT_ID = "SELECT COALESCE(max(id), 0) FROM products"
COUNT_PRODUCTS = "SELECT count(*) FROM products"
PUT_PRODUCT = f"""
INSERT INTO products ({PRODUCT_COLUMNS})
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
ON CONFLICT (id) DO UPDATE SET
  type = excluded.type, cycle = excluded.cycle, info = excluded.info,
  description = excluded.description, image_urls = excluded.image_urls, price = excluded.price,
  price_vip = excluded.price_vip, stock = excluded.stock, withdrawn_at = excluded.withdrawn_at,
  updated_at = excluded.updated_at
"""
TAKE_PIECE = "UPDATE products SET stock = stock - 1, sold = sold + 1 WHERE id = ?1 AND stock > 0"
FIND_RECENT_ORDER = """
SELECT number FROM product_orders
WHERE account_id = ?1 AND product_id = ?2 AND ordered_at >= ?3 AND ordered_at <= ?4
ORDER BY ordered_at DESC, number DESC LIMIT 1
"""
NEXT_ORDER_NUMBER = "SELECT coalesce(max(number), 0) + 1 FROM product_orders WHERE account_id = ?1"
INSERT_ORDER = """
INSERT INTO product_orders (account_id, number, product_id, coins, ordered_at)
VALUES (?1, ?2, ?3, ?4, ?5)
"""
TRIM_ORDERS = "DELETE FROM product_orders WHERE account_id = ?1 AND number <= ?2"


async def list_products(reader: Reader) -> list[Product]:
    """Return all products, including withdrawn ones; operators bound their number."""
    return [Product(*row) for row in await reader.fetch_all(LIST_PRODUCTS)]


async def find_product(reader: Reader, product: int) -> Product | None:
    row = await reader.fetch_one(FIND_PRODUCT, product)
    return None if row is None else Product(*row)


async def lock_product(tx: Transaction, product: int) -> Product | None:
    """Return a product, locked against other changes until this transaction ends."""
    row = await tx.fetch_one(LOCK_PRODUCT, product)
    return None if row is None else Product(*row)


async def lock_product_by_name(tx: Transaction, name: str) -> Product | None:
    """Return the product with a name, locked against other changes."""
    row = await tx.fetch_one(FIND_PRODUCT_BY_NAME, name)
    return None if row is None else Product(*row)


async def count_products(reader: Reader) -> int:
    row = await reader.fetch_one(COUNT_PRODUCTS)
    return 0 if row is None else int(row[0])


async def next_product_id(tx: Transaction) -> int:
    """Return an id above all others; no product is ever deleted."""
    row = await tx.fetch_one(FIND_LAST_PRODUCT_ID)
    return 1 if row is None else int(row[0]) + 1


async def put_product(tx: Transaction, product: Product) -> None:
    """Insert a product or change it; how many were sold stays."""
    await tx.execute(PUT_PRODUCT, *(getattr(product, name) for name in product.__struct_fields__))


async def take_piece(tx: Transaction, product: int) -> bool:
    """Move a piece from the stock to those sold; False if there is none."""
    return await tx.execute(TAKE_PIECE, product) == 1


async def find_recent_order(
    reader: Reader, account: AccountId, product: int, since: int, until: int
) -> int | None:
    """Return the number of an account's newest order of a product between two times, or None."""
    row = await reader.fetch_one(FIND_RECENT_ORDER, account, product, since, until)
    return None if row is None else int(row[0])


async def next_order_number(tx: Transaction, account: AccountId) -> int:
    return await next_number(tx, NEXT_ORDER_NUMBER, account)


async def insert_order(
    tx: Transaction, account: AccountId, number: int, product: int, coins: int, now: int
) -> None:
    await tx.execute(INSERT_ORDER, account, number, product, coins, now)


async def trim_orders(tx: Transaction, account: AccountId, last_number: int) -> None:
    """Forget an account's orders up to a number."""
    await tx.execute(TRIM_ORDERS, account, last_number)
