"""How many threads numpy takes for the products of matrices that the event loop computes."""

from __future__ import annotations

from threadpoolctl import threadpool_limits


def keep_products_on_one_thread() -> None:
    """Have numpy compute products on the thread that asks for them, in the whole process and for good.

    The loop's products are small: one thread projects the embeddings of 64 texts in 0.2 ms. By itself numpy takes a
    thread for each core. The loop then waits until they all get one, of which the encoder holds the most, and
    afterwards they spin for 20 ms. The encoder's own products are of torch, which has other threads.
    """
    threadpool_limits(limits=1, user_api="blas")
