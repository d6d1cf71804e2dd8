"""Figures of accuracy as rows of a table: the PatchCore paper's tables 1 to 3, S5 and its figures."""

from collections.abc import Mapping, Sequence
from typing import Any

HEAD = ("", "image AUROC %", "error %", "pixel AUROC %", "PRO %", "false +", "false -", "ms / image")


def by_category(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """One row a category, and their mean where there are several."""
    rows = [_row(name, one) for name, one in found["by_category"].items()]
    return rows if len(rows) == 1 else [*rows, _row("mean", found)]


def by_variant(found: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """One row a setting."""
    return [_row(one["variant"], one) for one in found]


def _row(name: str, one: Mapping[str, Any]) -> tuple[str, ...]:
    spread = one["spread"]
    error = None if one["image_auroc"] is None else 1 - one["image_auroc"]
    shares = (
        ("image_auroc", one["image_auroc"]),
        ("image_auroc", error),
        ("pixel_auroc", one["pixel_auroc"]),
        ("pro", one["pro"]),
    )
    counts = ("false_positives", "false_negatives", "ms_per_image")
    return (
        name,
        *(_number(value, spread.get(key), 100, 2) for key, value in shares),
        *(_number(one[key], spread.get(key), 1, 1) for key in counts),
    )


def _number(value: float | None, spread: float | None, scale: float, digits: int) -> str:
    """Mean and spread over the seeds; without a spread the mean alone."""
    if value is None:
        return "-"
    return f"{value * scale:.{digits}f}" + (f" ± {spread * scale:.{digits}f}" if spread else "")
