"""Compares `hyperloader predict --format hf` with the code of Hugging Face's token classification pipeline.

    hyperloader predict RUN --task TASK texts.txt --format jsonl > texts.jsonl
    hyperloader predict RUN --task TASK texts.txt --format hf > texts.hf
    python3 hf_pipeline.py texts.jsonl texts.hf

The pipeline gets the words, tags and confidences of the first file in the place of a model's tokens and scores, and aggregates them
with `aggregation_strategy="simple"`. Its answers are compared with the second file. Needs `transformers` and `torch`.

The command exits with 1 if an answer differs or there is no span. Scores may differ by 1e-6, because a sum of many numbers depends on their order.
"""

import json
import sys
from types import SimpleNamespace

import numpy as np
from transformers.pipelines.token_classification import AggregationStrategy, TokenClassificationPipeline

BLANK = "\u2581"


def pipeline(tags):
    """The pipeline around no model: only the names of its tags are read."""
    made = TokenClassificationPipeline.__new__(TokenClassificationPipeline)
    made.model = SimpleNamespace(config=SimpleNamespace(id2label=dict(enumerate(tags))))
    # The rule of SentencePiece, which T5 uses.
    joined = lambda tokens: "".join(tokens).replace(BLANK, " ").strip()
    made.tokenizer = SimpleNamespace(unk_token_id=-1, convert_tokens_to_string=joined)
    return made


def expected(line, tags):
    """What the pipeline returns for the words, tags and confidences of `line`."""
    text, offsets = line["text"], [tuple(pair) for pair in line["offsets"]]
    begins = lambda start: start == 0 or text[start - 1].isspace()
    words = [BLANK * begins(start) + text[start:end] for start, end in offsets]
    assert [text[start:end] for start, end in offsets] == line["tokens"]
    scores = np.zeros((len(words), len(tags)), dtype=np.float32)
    for row, (tag, confidence) in enumerate(zip(line["tags"], line["confidences"], strict=True)):
        scores[row, tags.index(tag)] = confidence
    made = pipeline(tags)
    made.tokenizer.convert_ids_to_tokens = lambda index: words[index]
    simple = AggregationStrategy.SIMPLE
    special = np.zeros(len(words), dtype=bool)
    tokens = made.gather_pre_entities(text, np.arange(len(words)), scores, offsets, special, simple)
    groups = made.aggregate(tokens, simple)
    return [group for group in groups if group["entity_group"] != "O"]


def plain(text):
    return " ".join(text.split())


def same(ours, theirs):
    keys = ("entity_group", "start", "end")
    return (
        list(ours) == ["entity_group", "score", "word", "start", "end"]
        and all(ours[key] == theirs[key] for key in keys)
        and plain(ours["word"]) == plain(theirs["word"])
        and abs(ours["score"] - float(theirs["score"])) <= 1e-6
    )


def main():
    lines, answers = ([json.loads(line) for line in open(path, encoding="utf-8")] for path in sys.argv[1:3])
    tags = sorted({tag for line in lines for tag in line["tags"]} | {"O"})
    spans = exact = wrong = 0
    for number, (line, ours) in enumerate(zip(lines, answers, strict=True), 1):
        theirs = expected(line, tags)
        if len(ours) != len(theirs) or not all(map(same, ours, theirs)):
            wrong += 1
            print(f"line {number}: {ours}\n  the pipeline: {theirs}", file=sys.stderr)
        spans += len(theirs)
        exact += sum(np.float32(a["score"]) == np.float32(b["score"]) for a, b in zip(ours, theirs))
    print(f"{len(lines)} texts, {spans} spans: {wrong} texts differ; {exact} scores are equal to the last bit")
    sys.exit(wrong > 0 or spans == 0)


if __name__ == "__main__":
    main()
