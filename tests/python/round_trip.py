"""Loads the adapter folders that we write with the real `peft` and `adapters`, and compares logits.

    pip install -r tests/python/round_trip_requirements.txt
    cargo run --release -p peft-tests --example write_for_python -- /tmp/folders
    python tests/python/round_trip.py /tmp/folders

Prints a Markdown table (kept in docs/python-round-trip.md) and exits with 1 if a logit differs by more than 5e-5.
"""

import sys
import warnings
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import T5ForConditionalGeneration

TOLERANCE = 5e-5


def base(root):
    return T5ForConditionalGeneration.from_pretrained(root / "base", dtype=torch.float32).eval()


def with_peft(root, folder):
    from peft import PeftModel

    return PeftModel.from_pretrained(base(root), folder).eval()


def with_adapters(root, folder):
    import adapters

    model = base(root)
    adapters.init(model)
    name = model.load_adapter(str(folder), set_active=True, use_safetensors=True)
    model.set_active_adapters(name)
    return model.eval()


def main(root):
    import adapters
    import peft
    import transformers

    versions = f"torch {torch.__version__.split('+')[0]}, transformers {transformers.__version__}, "
    versions += f"peft {peft.__version__}, adapters {adapters.__version__}"
    print(f"{versions}\n")
    print("| library | folder | largest difference of a logit | the adapter changes logits by |")
    print("|---|---|---|---|")
    worst = 0.0
    for library, load in (("peft", with_peft), ("adapterhub", with_adapters)):
        for folder in sorted((root / library).iterdir()):
            io = load_file(folder / "io.safetensors")
            inputs = {name: io[name] for name in ("input_ids", "attention_mask", "decoder_input_ids")}
            with torch.no_grad():
                bare = base(root)(**inputs).logits
                logits = load(root, folder)(**inputs).logits
            gap = (logits - io["logits"]).abs().max().item()
            change = (bare - logits).abs().max().item()
            worst = max(worst, gap)
            print(f"| {library} | {folder.name} | {gap:.1e} | {change:.1f} |")
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    sys.exit(main(Path(sys.argv[1])))
