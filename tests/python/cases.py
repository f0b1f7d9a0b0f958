"""The settings of every golden folder: its name, sizes, mode and seed."""

from __future__ import annotations

from dataclasses import dataclass, field

# Sizes of the folders for the reference's own list of modes. The reference's defaults are several times
# larger, and scale LoRA by alpha / rank = 1, which would hide a forgotten scale.
SMALL_BACKBONE = dict(vocab=50, d_model=20, d_kv=8, d_ff=36, heads=3, enc_layers=2, dec_layers=2)
SMALL_PEFT = dict(d_task=6, d_hidden=10, d_cond=5, bottleneck=3, rank=4, alpha=8.0)


@dataclass(frozen=True)
class Case:
    """One golden folder. `batch` overrides the batch shape (B rows, tk source and tl target tokens)."""

    name: str
    backbone: dict
    peft: dict
    seed: int
    batch: dict = field(default_factory=dict)
    max_length: int = 16
    lr: float = 3e-4
    authors_names: bool = False


# Each seed is the first one, from 1, that passes `checks.py`.
SEEDS_OF_MODES = {
    "hyperloader_tiny_v10": 2,
    "hyperloader_tiny_v10_crossbias": 2,
    "hyperloader_tiny_v11": 3,
    "hyperloader_tiny_prenorm": 1,
    "hyperformer_tiny": 1,
    "hyperlora_tiny": 7,
    "static_lora_tiny": 1,
    "static_adapter_tiny": 1,
    "full_ft_tiny": 3,
}
# One hypernetwork and one static checkpoint are also stored under the names of the authors' code.
AUTHORS_NAMES = ("hyperloader_tiny_v10_crossbias", "static_adapter_tiny")


def cases_of_modes(goldens: dict) -> list[Case]:
    """One small case for each entry of the reference's `GOLDENS`: name -> (backbone, peft) overrides."""
    return [
        Case(
            name=name.replace("tiny", "small"),
            backbone={**SMALL_BACKBONE, **backbone},
            peft={**SMALL_PEFT, **peft},
            seed=SEEDS_OF_MODES[name],
            authors_names=name in AUTHORS_NAMES,
        )
        for name, (backbone, peft) in goldens.items()
    ]


# Sizes without a common factor, widths that differ from each other, tasks not in alphabetical order:
# an implementation with a transposed or hard-coded dimension cannot pass by luck.
OTHER_SIZES = [
    Case(
        "static_lora_wide_inner",
        dict(vocab=53, d_model=20, d_kv=10, d_ff=36, heads=3, enc_layers=1, dec_layers=3),
        dict(mode="lora", rank=3, alpha=12.0, tasks=["zulu", "echo"]),
        seed=4,
    ),
    Case(
        "static_adapter_four_tasks_pre_and_post_norm",
        dict(vocab=47, d_model=20, d_kv=6, d_ff=28, heads=2, enc_layers=2, dec_layers=1),
        dict(mode="adapter", bottleneck=5, pre_norm=True, tasks=["weather", "music_2", "alarm", "bus-line"]),
        seed=1,
    ),
    Case(
        "static_adapter_single_task_no_norms",
        dict(vocab=41, d_model=18, d_kv=7, d_ff=30, heads=2, enc_layers=1, dec_layers=2, gated=True),
        dict(mode="adapter", bottleneck=11, post_norm=False, tasks=["solo"]),
        seed=2,
        batch=dict(B=2, tk=7, tl=6),
    ),
    Case(
        "full_ft_v11_narrow_inner",
        dict(vocab=45, d_model=22, d_kv=5, d_ff=26, heads=2, enc_layers=1, dec_layers=3, gated=True, tied=False),
        dict(mode="full", tasks=["only"]),
        seed=1,
    ),
    Case(
        "hyperloader_two_tasks_rank3",
        dict(vocab=59, d_model=20, d_kv=7, d_ff=34, heads=2, enc_layers=3, dec_layers=2),
        dict(mode="hyperloader", rank=3, alpha=12.0, bottleneck=7, d_task=5, d_hidden=9, d_cond=4,
             tasks=["zulu", "echo"]),
        seed=2,
    ),
    Case(
        "hyperloader_four_tasks_eps",
        dict(vocab=43, d_model=18, d_kv=8, d_ff=26, heads=3, enc_layers=1, dec_layers=3, eps=1e-3),
        dict(mode="hyperloader", rank=2, alpha=5.0, bottleneck=4, d_task=4, d_hidden=7, d_cond=6, pre_norm=True,
             adapter_eps=3e-2, cond_eps=1e-2, tasks=["weather", "music_2", "alarm", "bus-line"]),
        seed=3,
        batch=dict(B=4, tk=9, tl=8),
    ),
    Case(
        "hyperformer_v11_crossbias",
        dict(vocab=51, d_model=21, d_kv=7, d_ff=32, heads=3, enc_layers=2, dec_layers=2,
             gated=True, tied=False, cross_bias=True),
        dict(mode="hyperformer", bottleneck=5, d_task=7, d_hidden=8, d_cond=6, tasks=["zulu", "echo", "kilo"]),
        seed=1,
        max_length=11,
    ),
    Case(  # distances 16, 32 and 64 fall on the edges of the logarithmic position buckets
        "hyperlora_long_frozen_norms",
        dict(vocab=49, d_model=16, d_kv=6, d_ff=24, heads=2, enc_layers=2, dec_layers=2),
        dict(mode="hyperlora", rank=5, alpha=15.0, d_task=6, d_hidden=8, d_cond=5, train_norms=False,
             tasks=["zulu", "echo"]),
        seed=5,
        batch=dict(B=2, tk=150, tl=70),
        max_length=36,
    ),
    Case(
        "hyperloader_few_buckets_crossbias",
        dict(vocab=57, d_model=19, d_kv=6, d_ff=30, heads=3, enc_layers=2, dec_layers=2,
             buckets=8, max_distance=14, cross_bias=True),
        dict(mode="hyperloader", rank=1, alpha=2.0, bottleneck=2, d_task=5, d_hidden=8, d_cond=4,
             tasks=["zulu", "echo", "kilo"]),
        seed=8,
        batch=dict(B=3, tk=27, tl=19),
    ),
]
