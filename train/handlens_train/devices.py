"""Training on several devices of one machine: each computes its share of every batch, the gradients are summed.

That is `keras.distribution.DataParallel`, which Keras has for JAX alone. The batch stays the recipe's, and batch
normalisation sees all of it, so that the losses are those of one device but for rounding.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from handlens.errors import OptionError


class Shares(keras.distribution.DataParallel):
    """Every device has all weights; a batch is divided among them inside `sharing` and given to each whole elsewhere.

    What is evaluated comes in batches of which the last is of any size, and those do not divide.
    """

    sharing = False

    def get_data_layout(self, data_shape: tuple[int, ...]) -> keras.distribution.TensorLayout:
        """Keras asks where an array of this shape goes."""
        first = self.batch_dim_name if self.sharing else None
        return keras.distribution.TensorLayout([first, *[None] * (len(data_shape) - 1)], self.device_mesh)


@contextmanager
def use(count: int) -> Iterator[None]:
    """Train on so many devices whatever is built in this context.

    Raises:
        OptionError: another backend than JAX, or the machine has fewer devices.
    """
    if keras.backend.backend() != "jax":
        raise OptionError(
            f"--devices {count} needs Keras on JAX, and this is {keras.backend.backend()}. Install jax for your "
            "devices (pip install jax, or jax[cuda13]) and set KERAS_BACKEND=jax, or leave --devices away."
        )
    there = keras.distribution.list_devices()
    if count > len(there):
        raise OptionError(
            f"--devices {count}: JAX sees {len(there)} on this machine ({', '.join(there)}); "
            f"valid: at most {len(there)}."
        )
    with Shares(devices=there[:count]).scope():
        yield


@contextmanager
def sharing(batches: keras.utils.PyDataset) -> Iterator[None]:
    """Divide what Keras reads in this context, batches as large as the first, among the devices that `use` took.

    Raises:
        OptionError: a batch does not divide by the devices.
    """
    shares = keras.distribution.distribution()
    if not isinstance(shares, Shares):
        yield
        return
    size, count = len(keras.tree.flatten(batches[0])[0]), shares.device_mesh.devices.size
    if size % count:
        fitting = ", ".join(str(n) for n in range(1, len(keras.distribution.list_devices()) + 1) if size % n == 0)
        raise OptionError(
            f"--devices {count}: a batch of this recipe has {size} rows, which {count} devices cannot share evenly; "
            f"valid here: {fitting}."
        )
    shares.sharing = True
    try:
        yield
    finally:
        shares.sharing = False


def count() -> int:
    """On how many devices a training runs now."""
    shares = keras.distribution.distribution()
    return shares.device_mesh.devices.size if isinstance(shares, Shares) else 1
