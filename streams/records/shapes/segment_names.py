"""The names of events in the e-commerce specification of Segment and RudderStack, and which of them are left out."""

from __future__ import annotations

import re
from typing import Final

from streams.records.shapes.translated import NOT_ABOUT_A_PRODUCT, NOT_TAKEN_YET

ORDER_COMPLETED: Final = "Order Completed"
ORDER_REFUNDED: Final = "Order Refunded"
PRODUCT_VIEWED: Final = "Product Viewed"
PRODUCT_ADDED: Final = "Product Added"
PRODUCT_REMOVED: Final = "Product Removed"
ADDED_TO_WISHLIST: Final = "Product Added to Wishlist"
WISHLIST_TO_CART: Final = "Wishlist Product Added to Cart"
PRODUCTS_SEARCHED: Final = "Products Searched"
PRODUCT_REVIEWED: Final = "Product Reviewed"

TAKEN: Final = (
    ORDER_COMPLETED,
    ORDER_REFUNDED,
    PRODUCT_VIEWED,
    PRODUCT_ADDED,
    PRODUCT_REMOVED,
    ADDED_TO_WISHLIST,
    WISHLIST_TO_CART,
    PRODUCTS_SEARCHED,
    PRODUCT_REVIEWED,
)
"""Events of the specification that become records."""

LEFT_OUT: Final = {
    "Order Cancelled": f"cancelled orders are {NOT_TAKEN_YET}",
    "Order Updated": "counted with Order Completed",
    "Product Clicked": "counted with the Product Viewed that follows",
    "Product Removed from Wishlist": NOT_TAKEN_YET,
    "Product Shared": NOT_TAKEN_YET,
} | dict.fromkeys(
    (
        "Product List Viewed",
        "Product List Filtered",
        "Promotion Viewed",
        "Promotion Clicked",
        "Cart Viewed",
        "Cart Shared",
        "Checkout Started",
        "Checkout Step Viewed",
        "Checkout Step Completed",
        "Payment Info Entered",
        "Coupon Entered",
        "Coupon Applied",
        "Coupon Denied",
        "Coupon Removed",
    ),
    NOT_ABOUT_A_PRODUCT,
)
"""Events of the specification without a record, each with the reason."""

FORMER: Final = {
    "Completed Order": ORDER_COMPLETED,
    "Viewed Product": PRODUCT_VIEWED,
    "Added Product": PRODUCT_ADDED,
    "Removed Product": PRODUCT_REMOVED,
}
"""Names of the first version of the specification, and those of the second."""

_SEPARATORS: Final = re.compile(r"[\s_-]+")
_NAMES: Final = {name.casefold(): FORMER.get(name, name) for name in (*TAKEN, *LEFT_OUT, *FORMER)}
_LONGEST: Final = 256
"""Characters of a name that are compared; no name of the specification has as many."""


def name_of(event: str) -> str:
    """Return the specification's name of an event, or the event as it is called if it has none.

    Upper and lower case are the same, and so are a space, `_` and `-`.
    """
    return _NAMES.get(_SEPARATORS.sub(" ", event[:_LONGEST]).strip().casefold(), event)
