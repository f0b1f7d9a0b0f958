"""Random bodies of requests, most of which are wrong."""
import json
import random

from clients import post
from texts import Texts

ROUTES = ["/v1/label", "/", "/?task=travel", "/?task=%00%ff", "/?x=1"]
TYPES = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "json", "", "*/*",
         "application/json, text/plain", "application/" + "j" * 5000]
HUGE = ["1e999", "-1e999", "1e-999", "1" + "0" * 400, "-" + "9" * 400, "0." + "3" * 2000, "18446744073709551616", "9223372036854775808",
        "-1", "0", "4294967296", "1.5", "1E400", "NaN", "Infinity", "-Infinity", "0x10", "01", "+1", "-", "1_000", "1e", "true"]
INVALID = [b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xe2\x82", b"\\ud800", b"\\udc00\\ud800", b"\\u00",
           b"\\x41", b"\x00", b"\x1f", b"\\u0000", b"\xef\xbb\xbf"]
FIELDS = ["task", "model", "text", "words", "threshold", "n_best", "split_sentences", "inputs", "parameters", "options",
          "aggregation_strategy", "ignore_labels", "", "__proto__", "Text", "text "]


class Bodies:
    """Random bodies, most of which are wrong."""

    def __init__(self, seed, tasks):
        self.random, self.texts, self.tasks = random.Random(seed), Texts(seed), tasks
        self.kinds = [self.noise, self.json, self.damaged, self.damaged, self.numbers, self.nested, self.invalid, self.fields,
                      self.wrong_type, self.large]
        self.weights = [3, 4, 4, 4, 3, 1, 3, 5, 2, 0.05]

    def next(self):
        """The name of its kind and the request."""
        kind = self.random.choices(self.kinds, self.weights)[0]
        body, content_type = kind()
        return kind.__name__, post(self.random.choice(ROUTES[: 2 if self.random.random() < 0.8 else None]), body, content_type)

    def valid(self):
        task = self.random.choice(self.tasks)
        if self.random.random() < 0.5:
            made = {"inputs": self.texts.plain(3), "parameters": {"task": task, "aggregation_strategy": "none"}}
        else:
            made = {"task": task, "text": [self.texts.plain(3), "é"], "threshold": 0.5, "n_best": 2, "split_sentences": False}
        return json.dumps(made, ensure_ascii=False).encode()

    def noise(self):
        return self.random.randbytes(self.random.choice([0, 1, 2, 7, 80, 800])), "application/json"

    def value(self, depth):
        choose = self.random
        kind = choose.randrange(8 if depth else 6)
        if kind < 6:
            return [None, choose.random() < 0.5, choose.randint(-3, 300), choose.gauss(0, 1e3), self.texts.word(), ""][kind]
        count = choose.randrange(5)
        if kind == 6:
            return [self.value(depth - 1) for _ in range(count)]
        return {choose.choice(FIELDS): self.value(depth - 1) for _ in range(count)}

    def json(self):
        return json.dumps(self.value(4)).encode(), "application/json"

    def fields(self):
        """The right fields with wrong values."""
        made = json.loads(self.valid())
        for _ in range(self.random.choice([1, 1, 2])):
            made[self.random.choice(FIELDS)] = self.value(2)
        if self.random.random() < 0.3:
            made.pop(self.random.choice(list(made)), None)
        return json.dumps(made).encode(), "application/json"

    def damaged(self):
        """A valid request with a few bytes changed, added, left out, doubled or cut off."""
        body, choose = bytearray(self.valid()), self.random
        for _ in range(choose.choice([1, 1, 1, 2, 5])):
            place = choose.randrange(len(body) or 1)
            kind = choose.randrange(6)
            if kind == 0 and body:
                body[place] ^= 1 << choose.randrange(8)
            elif kind == 1:
                body[place:place] = choose.randbytes(1)
            elif kind == 2:
                del body[place : place + choose.randrange(1, 4)]
            elif kind == 3:
                body[place:place] = body[place : place + 30]
            elif kind == 4:
                del body[place:]
            else:
                body[place:place] = choose.choice(b'{}[]",:0e-\\ ').to_bytes()
        return bytes(body), "application/json"

    def numbers(self):
        name = self.random.choice(["threshold", "n_best", "split_sentences", "text", "task"])
        number = self.random.choice(HUGE)
        return f'{{"task":"{self.tasks[0]}","text":"play jazz","{name}":{number}}}'.encode(), "application/json"

    def nested(self):
        depth = self.random.choice([10, 127, 128, 129, 1000, 20000, 100_000])
        opening, closing = self.random.choice([("[", "]"), ('{"text":', "}"), ('{"words":[', "]}"), ('{"parameters":', "}")])
        whole = opening * depth + '"x"' + closing * (depth if self.random.random() < 0.5 else 0)
        options = f'{{"inputs":"x","options":{whole}}}'
        return (options if self.random.random() < 0.3 else whole).encode(), "application/json"

    def invalid(self):
        body = bytearray(self.valid())
        place = self.random.randrange(len(body))
        body[place:place] = self.random.choice(INVALID)
        return bytes(body), "application/json"

    def wrong_type(self):
        return self.valid(), self.random.choice(TYPES)

    def large(self):
        """Above the limits of bytes, texts or words; the last one is within them and has one word of half a megabyte."""
        return json.dumps(self.random.choice(self.all_large())).encode(), "application/json"

    def all_large(self):
        task = self.tasks[0]
        return [
            {"task": task, "text": "x" * (1 << 20)},
            {"task": task, "text": ["x"] * 257},
            {"task": task, "text": "x " * 20_001},
            {"task": task, "words": ["x"] * 20_001},
            {"task": task, "words": [["x"]] * 257},
            {"task": task, "text": "x" * (1 << 19)},
        ]
