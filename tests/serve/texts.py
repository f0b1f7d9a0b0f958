"""Texts to label, and what `predict` says of them."""
import json
import random
import subprocess
import sys

WORDS = """turn on the kitchen lights at seven play some jazz by miles davis book a flight from oslo to new york on monday set an
alarm for half past six in the morning what is the weather like in sao paulo tomorrow add milk and eggs to my shopping list show me
films with ingrid bergman that were made before 1950 dim bedroom lamp to 40 percent find cheap hotel near station for two nights
remind call mother next friday quieter please""".split()
ODD = ["naïve", "e\u0301te\u0301", "東京都", "こんにちは", "서울", "กรุงเทพ", "مرحبا", "שלום", "👩‍👩‍👧‍👦", "🇳🇴", "👍🏽", "3.50", "€12,99", "O'Hara",
       "well-known", "…", "“quoted”", "x" * 60, "A\u200bB", "ﬁnal", "ẞ", "İstanbul", "<extra_id_7>", "</s>", "<b>bold</b>", "\\n",
       '"', "{}", "a\tb".replace("\t", "_"), "NaN", "-0", "½"]
GAPS = [" "] * 30 + ["  ", "\t", "\u00a0", "\u3000", "\n", "\r\n", ". ", "! ", "? ", ", "]


class Texts:
    """Random texts: mostly short ones, some without words, with many sentences, or longer than a window."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def word(self):
        return self.random.choice(ODD if self.random.random() < 0.07 else WORDS)

    def length(self):
        chance = self.random.random()
        if chance < 0.03:
            return 0
        return self.random.randint(60, 240) if chance < 0.07 else self.random.randint(1, 20)

    def raw(self):
        words = [self.word() for _ in range(self.length())]
        text = "".join(word + self.random.choice(GAPS) for word in words)
        return text if self.random.random() < 0.2 else text.strip()

    def words(self):
        """A list of words; a few of them have blanks."""
        one = lambda: f"{self.word()} {self.word()}" if self.random.random() < 0.02 else self.word()
        return [one() for _ in range(self.length())]

    def plain(self, words):
        """A usual sentence of so many words."""
        return " ".join(self.random.choice(WORDS) for _ in range(words))


def sentences(folder, tasks, count=None):
    """The sentences of `TASK.txt` in a folder, by task."""
    lines = {task: (folder / f"{task}.txt").read_text().splitlines() for task in tasks}
    return {task: [line.strip() for line in own if line.strip()][:count] for task, own in lines.items()}


class Predict:
    """`hyperloader predict` on the model that is served."""

    def __init__(self, command, model, *options):
        self.command, self.model, self.options = command, str(model), [str(option) for option in options]

    def call(self, task, *arguments):
        return [self.command, "predict", self.model, "--quiet", "--task", task, *self.options, *map(str, arguments)]

    def lines(self, task, items, *arguments, form="jsonl"):
        """The lines of the answers to `items`: raw texts, or lists of words."""
        key = lambda item: "text" if isinstance(item, str) else "tokens"
        given = "".join(json.dumps({key(item): item}, ensure_ascii=False) + "\n" for item in items)
        call = self.call(task, "--format", form, "--input-format", "jsonl", *arguments, "-")
        done = subprocess.run(call, input=given.encode(), capture_output=True, check=False)
        if done.returncode != 0:
            sys.exit(f"predict fails: {done.stderr.decode()}")
        lines = done.stdout.split(b"\n")[:-1]
        if len(lines) != len(items):
            sys.exit(f"predict answered {len(items)} texts with {len(lines)} lines")
        return lines
