"""The tables of the benchmark, one module each: a title, a note, and rows."""

from sections import (
    ablation,
    bfloat16,
    bfloat16_quality,
    epoch,
    imports,
    partial_fit,
    patches,
    rivals,
    search,
    sparse,
    stack,
    transform,
    variants,
)

SECTIONS = {
    "epoch": epoch,
    "bfloat16": bfloat16,
    "bfloat16_quality": bfloat16_quality,
    "rivals": rivals,
    "transform": transform,
    "variants": variants,
    "patches": patches,
    "sparse": sparse,
    "search": search,
    "stack": stack,
    "partial_fit": partial_fit,
    "imports": imports,
    "ablation": ablation,
}
