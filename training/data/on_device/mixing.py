"""MixUp and CutMix on the device: images of a batch mixed in pairs, and their labels with them."""

import jax
import jax.numpy as jnp

from training.config import Augment
from training.data.on_device.erasing import random_point


def mix_batch(
    images: jax.Array, shares: jax.Array, key: jax.Array, augment: Augment
) -> tuple[jax.Array, jax.Array]:
    """Mixes the images of a batch by MixUp or CutMix, one of them for the whole batch.

    Each image is mixed with one other, at a random place in the batch.

    Args:
        images: float32 (B, H, W, C) in [0, 255].
        shares: float32 (B, K), shares of the classes: one-hot labels.
        key: of `jax.random`.
        augment: `mixup`, `cutmix` and `mix` count.

    Returns:
        images (B, H, W, C) and shares of the classes (B, K).
    """
    keys = jax.random.split(key, 3)
    is_mixed, is_cut = jax.random.uniform(keys[0], (2,))
    order = jax.random.permutation(keys[1], len(images))

    def by_mixup() -> tuple[jax.Array, jax.Array]:
        return mix_up(images, images[order], keys[2], augment.mixup)

    def by_cutmix() -> tuple[jax.Array, jax.Array]:
        return cut_mix(images, images[order], keys[2], augment.cutmix)

    if augment.mixup and augment.cutmix:
        cut, mixed = by_cutmix(), by_mixup()
        changed, own = (jnp.where(is_cut < 0.5, a, b) for a, b in zip(cut, mixed, strict=True))
    else:
        changed, own = by_mixup() if augment.mixup else by_cutmix()
    changed_shares = shares * own[:, None] + shares[order] * (1 - own[:, None])
    is_mixed = is_mixed < augment.mix
    return jnp.where(is_mixed, changed, images), jnp.where(is_mixed, changed_shares, shares)


def mix_up(
    images: jax.Array, partners: jax.Array, key: jax.Array, alpha: float
) -> tuple[jax.Array, jax.Array]:
    """Weighted means of images (Zhang et al., arXiv:1710.09412).

    Args:
        images, partners: float32 (B, H, W, C) in [0, 255].
        key: of `jax.random`.
        alpha: of the symmetric Beta distribution that the weights are drawn from.

    Returns:
        images (B, H, W, C), and the share that each first image has of them, (B,).
    """
    shares = sample_beta(key, len(images), alpha)
    weights = shares[:, None, None, None]
    return jnp.round(images * weights + partners * (1 - weights)), shares


def cut_mix(
    images: jax.Array, partners: jax.Array, key: jax.Array, alpha: float
) -> tuple[jax.Array, jax.Array]:
    """A rectangle of one image in another (Yun et al., arXiv:1905.04899).

    The rectangle has the image's aspect and surrounds a random point; what reaches over the edge
    is cut off. The returned shares are those of the pixels. Args, Returns: as `mix_up`.
    """
    area_key, place_key = jax.random.split(key)
    sizes = jnp.array(images.shape[1:3])
    sides = jnp.sqrt(1 - sample_beta(area_key, len(images), alpha))[:, None] * sizes
    sides = sides.astype(jnp.int32)
    points = jax.vmap(random_point, in_axes=(0, None))(
        jax.random.split(place_key, len(images)), sizes
    )
    starts = points - sides // 2
    rows, columns = (
        (jnp.arange(length) >= starts[:, i, None])
        & (jnp.arange(length) < starts[:, i, None] + sides[:, i, None])
        for i, length in enumerate(images.shape[1:3])
    )
    is_cut = rows[:, :, None] & columns[:, None, :]
    shares = 1 - jnp.mean(is_cut, (1, 2), dtype=jnp.float32)
    return jnp.where(is_cut[..., None], partners, images), shares


def sample_beta(key: jax.Array, count: int, alpha: float) -> jax.Array:
    """float32 (`count`,) from the symmetric Beta distribution with parameter `alpha`."""
    if alpha == 1:  # uniform, and compiled in no time
        return jax.random.uniform(key, (count,))
    # As a ratio of logarithms: in 32 bits both Gammas would round to 0 where `alpha` is small.
    logs = jax.random.loggamma(key, alpha, (2, count))
    return jax.nn.sigmoid(logs[0] - logs[1])
