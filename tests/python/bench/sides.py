"""The sides that are compared: `hyperloader predict`, Hugging Face's `generate`, CTranslate2. The last two also run with
eight-bit linear maps: PyTorch's dynamic ones, and CTranslate2's.

All run the T5 of one compiled folder (`hyperloader compile`). Hugging Face and CTranslate2 leave out its adapters, which cannot
be merged into a T5; this makes them faster. A model with random weights never writes `</s>`, so these two write as many tokens
for a batch as its longest true target has. Their batches are sorted by length, as a good user would do. Our side writes the
tags that the random weights choose, and makes its own batches. `label.py` reports the length of our targets and of the true
ones.
"""
import os
import subprocess
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration


def numbered(words):
    return " ".join(f"<extra_id_{i}> {word}" for i, word in enumerate(words)) + f" <extra_id_{len(words)}>"


def simplified(tag):
    """The tag as the model writes it: `B-city` is `city`, `I-city` is `I`."""
    return "I" if tag.startswith("I-") else tag.split("-", 1)[-1]


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Corpus:
    """The first `count` sentences of a folder with `seq.in` and `seq.out`."""

    def __init__(self, folder, count=None):
        lines = lambda name: (folder / name).read_text().splitlines()[:count]
        self.sentences = [line.split() for line in lines("seq.in")]
        self.tags = [[simplified(tag) for tag in line.split()] for line in lines("seq.out")]

    def write(self, path, count=None):
        path.write_text("".join(" ".join(s) + "\n" for s in self.sentences[:count]))


class Peer:
    """A side that generates text."""

    def __init__(self, tokenizer, corpus):
        self.tokenizer, self.corpus = tokenizer, corpus
        self.lengths = [len(tokenizer(numbered(tags))["input_ids"]) for tags in corpus.tags]

    def label_all(self, batch_size):
        order = sorted(range(len(self.lengths)), key=lambda i: len(self.corpus.sentences[i]))
        for first in range(0, len(order), batch_size):
            self.label(order[first: first + batch_size])

    def label(self, indices):
        self.run([numbered(self.corpus.sentences[i]) for i in indices], max(self.lengths[i] for i in indices))


class HuggingFace(Peer):
    def __init__(self, model, tokenizer, corpus):
        super().__init__(tokenizer, corpus)
        self.model = model

    @torch.inference_mode()
    def run(self, texts, n):
        inputs = self.tokenizer(texts, padding=True, return_tensors="pt")
        ids = self.model.generate(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"],
                                  min_new_tokens=n, max_new_tokens=n, do_sample=False, num_beams=1)
        assert ids.shape[1] == n + 1, ids.shape
        self.tokenizer.batch_decode(ids)


class CTranslate2(Peer):
    def __init__(self, model, tokenizer, corpus, threads, compute_type):
        super().__init__(tokenizer, corpus)
        import ctranslate2

        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "hf", Path(folder) / "ct2"
            model.save_pretrained(source)
            tokenizer.save_pretrained(source)
            ctranslate2.converters.TransformersConverter(str(source)).convert(str(target))
            self.translator = ctranslate2.Translator(str(target), device="cpu", compute_type=compute_type,
                                                     inter_threads=1, intra_threads=threads)

    def run(self, texts, n):
        tokens = [self.tokenizer.convert_ids_to_tokens(ids) for ids in self.tokenizer(texts)["input_ids"]]
        results = self.translator.translate_batch(tokens, beam_size=1, min_decoding_length=n, max_decoding_length=n)
        written = [result.hypotheses[0] for result in results]
        assert all(len(tokens) == n for tokens in written), [len(tokens) for tokens in written]
        self.tokenizer.batch_decode([self.tokenizer.convert_tokens_to_ids(tokens) for tokens in written])


def dynamic(model):
    """The model with PyTorch's eight-bit linear maps."""
    return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)


PEERS = ["huggingface", "ctranslate2", "huggingface-int8", "ctranslate2-int8"]


def peers(folder, corpus, threads, wanted):
    """The sides of `PEERS` that are named in `wanted`, by name."""
    torch.set_num_threads(threads)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="<pad>",
                                        eos_token="</s>", unk_token="<unk>")
    model = T5ForConditionalGeneration(T5Config.from_json_file(folder / "config.json")).eval()
    missing, _ = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    tied = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"}
    assert set(missing) <= tied, missing
    model.tie_weights()
    model.generation_config.decoder_start_token_id = 0
    made = {"huggingface": lambda: HuggingFace(model, tokenizer, corpus),
            "ctranslate2": lambda: CTranslate2(model, tokenizer, corpus, threads, "float32"),
            "huggingface-int8": lambda: HuggingFace(dynamic(model), tokenizer, corpus),
            "ctranslate2-int8": lambda: CTranslate2(model, tokenizer, corpus, threads, "int8")}
    return {name: made[name]() for name in wanted}


class Ours:
    """`hyperloader predict` on a compiled folder."""

    def __init__(self, command, folder, task, dtype, threads):
        self.command = [command, "predict", str(folder), "--task", task, "--dtype", dtype]
        self.env = os.environ | {"RAYON_NUM_THREADS": str(threads)}

    def file(self, path):
        """Labels a file, and returns the peak memory of the process in bytes."""
        child = subprocess.Popen([*self.command, str(path)], env=self.env, stdout=subprocess.DEVNULL)
        peak = 0
        # Do not ask after the child has ended: the system's value then includes the parent's memory at the time of the start.
        while child.poll() is None:
            peak = max(peak, self.high_water_mark(child.pid))
            time.sleep(0.01)
        assert child.returncode == 0, child.returncode
        return peak

    @staticmethod
    def high_water_mark(pid):
        """The peak memory of a running process in bytes."""
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return 0
        return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)

    def tags(self, path):
        """The simplified tags that the model gives each sentence of a file."""
        out = subprocess.run([*self.command, str(path)], env=self.env, check=True, capture_output=True, text=True).stdout
        sentences = [block.splitlines() for block in out.strip().split("\n\n")]
        return [[simplified(line.rsplit("\t", 1)[1]) for line in lines] for lines in sentences]

    def pipe(self):
        return subprocess.Popen([*self.command, "-"], env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    @staticmethod
    def ask(child, sentence):
        """Sends one sentence and reads its tags, which end with a blank line."""
        child.stdin.write((" ".join(sentence) + "\n").encode())
        child.stdin.flush()
        tags = []
        while (line := child.stdout.readline()) not in (b"\n", b""):
            tags.append(line)
        assert len(tags) == len(sentence), (len(tags), sentence)
