"""Makes the model that the measurements of the server use: t5-small's shape with random weights, LoRA and adapters that a
hypernetwork generates for three tasks.

    python tests/serve/model.py --hyperloader target/release/hyperloader --data ../shared/data \\
        --tokenizer ../shared/tokenizer/t5 --out served

The folder `served` then has `run` (all three tasks), `compiled/TASK` (each task alone) and `TASK.txt` (sentences, one a line).
The one step of training hardly changes the weights. `docs/configs/bench/labelling.toml` is the same model with two tasks.
"""
import argparse
import shutil
import subprocess
import sys
from pathlib import Path

# Each task with its training, validation and test data.
TASKS = {
    "snips": ["snips/train", "snips/valid", "snips/test"],
    "atis": ["atis/train", "atis/valid", "atis/test"],
    "restaurant": ["mit_restaurant/restauranttrain.bio", "mit_restaurant/restaurantvalid.bio",
                   "mit_restaurant/restauranttest.bio"],
}
MODEL = """\
seed = 2

[model]
name = "config:t5-small"
tokenizer = "{tokenizer}"
trainable = "norms"

[[peft]]
peft_type = "LORA"
r = 8
lora_alpha = 8
target_modules = ["q", "v"]

[[peft]]
peft_type = "BOTTLENECK"
reduction_factor = 32
non_linearity = "gelu_new"
ln_after = true

[generator]
generator = "hypernetwork"
positions = ["ffn", "self", "self.q", "self.v", "cross.q", "cross.v"]

[train]
max_steps = 1
batch_size = 8
gradient_accumulation_steps = 1
learning_rate = 1e-9
warmup_steps = 1
save_steps = 1
eval_steps = 1
eval_sentences = 1
"""
TASK = """
[[tasks]]
name = "{name}"
train = "{train}"
validation = "{validation}"
test = "{test}"
"""


def words(path):
    """The sentences of a folder with `seq.in`, or of a BIO file that has `word tag` or `tag word` lines."""
    if path.is_dir():
        return [line.split() for line in (path / "seq.in").read_text().splitlines() if line.strip()]
    is_tag = lambda text: text == "O" or text[:2] in ("B-", "I-")
    blocks = path.read_text().split("\n\n")
    pairs = [[line.split("\t") for line in block.splitlines() if line.strip()] for block in blocks]
    column = 1 if all(is_tag(pair[0]) for block in pairs for pair in block) else 0
    return [[pair[column] for pair in block] for block in pairs if block]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hyperloader", default="hyperloader", help="the command")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    if args.out.exists():
        sys.exit(f"{args.out} exists already")
    made = args.out.with_name(args.out.name + ".part")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    config = MODEL.format(tokenizer=args.tokenizer.resolve())
    for name, parts in TASKS.items():
        train, validation, test = (args.data.resolve() / part for part in parts)
        config += TASK.format(name=name, train=train, validation=validation, test=test)
        (made / f"{name}.txt").write_text("".join(" ".join(sentence) + "\n" for sentence in words(test)))
    (made / "config.toml").write_text(config)
    call = lambda *arguments: subprocess.run([args.hyperloader, *map(str, arguments)], check=True)
    call("train", "--config", made / "config.toml", "--out", made / "run")
    for name in TASKS:
        call("compile", made / "run", "--task", name, "--out", made / "compiled" / name)
    made.rename(args.out)
    print(f"{args.out}: " + ", ".join(TASKS))


if __name__ == "__main__":
    main()
