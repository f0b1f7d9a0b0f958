"""Opens the page of `hyperloader serve` in headless Chromium, uses it, and fails at anything that is wrong."""

import argparse
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

from server import Server, below

TOKEN = "s3cret-of-this-check"

# Blanks, lines, two directions, characters of several code points, and what would be HTML.
TEXTS = [
    "turn on the lights in the kitchen at half past six",
    "  two  blanks,\ta tab\n\nand a line,\u00a0a hard blank ",
    "今天早上七点打开客厅的灯 and 東京から大阪まで",
    "שלום turn off the lamp מחר בבוקר\nمرحبا من القاهرة إلى لندن on friday",
    "👩‍👩‍👧 flies to 🇳🇴 Oslo, cafe\u0301 and naïve 𝒳 🛋️ at seven",
    "<b>bold</b> &amp; <img src=x onerror=alert(1)> </script> 'quoted' \"twice\" \\ $HOME `x`",
]

# An answer that a server could give, with spans at every difficult place.
MADE_TEXT = "𝒳 👩‍👩‍👧 e\u0301 東京\tשלום <i>"
MADE_SPANS = [(0, 1, 0.31), (2, 7, 0.99), (8, 10, 0.5), (11, 13, 1.0), (14, 18, 0.75), (19, 22, 0.8)]

LABELLED = """() => {
  const root = document.getElementById("labelled").cloneNode(true);
  for (const small of root.querySelectorAll("small")) small.remove();
  return root.textContent;
}"""

MARKS = """() => [...document.querySelectorAll("#labelled mark")].map((mark) => {
  const small = mark.querySelector("small");
  return { text: mark.firstChild.textContent, type: small.querySelector("bdi").textContent,
    score: small.querySelector("b")?.textContent ?? null, edge: getComputedStyle(mark).borderTopColor };
})"""

ROWS = """() => [...document.getElementById("rows").rows].map((row) => [...row.cells].map((cell) => cell.textContent))"""

# The least contrast between words and what is behind them. A canvas knows every notation of colors.
CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const over = (...colors) => {
    for (const color of colors) { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (color) => color.map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const all = [];
  for (const node of document.querySelectorAll("h1, h2, p, label, button, textarea, select, mark, mark small, td, th, li, summary, pre, output")) {
    if (!node.checkVisibility() || node.disabled || !node.textContent.trim()) continue;
    const behind = [];
    for (let up = node; up; up = up.parentElement) behind.unshift(getComputedStyle(up).backgroundColor);
    const back = over("white", ...behind);
    const [light, dark] = [luminance(back), luminance(over(`rgb(${back})`, getComputedStyle(node).color))].sort((a, b) => b - a);
    all.push([(light + 0.05) / (dark + 0.05), node.tagName + " " + node.textContent.trim().slice(0, 30)]);
  }
  return all.sort((a, b) => a[0] - b[0])[0];
}"""

checked = 0


def check(condition, message):
    global checked
    checked += 1
    if not condition:
        sys.exit(f"FAILED: {message}")


class Browser:
    """Pages whose messages and requests are remembered."""

    def __init__(self, chromium):
        self.chromium = chromium
        self.messages = []
        self.requests = []

    def open(self, url, ready="#result", **options):
        page = self.chromium.new_context(**options).new_page()
        page.set_default_timeout(30_000)
        page.on("console", lambda message: self.messages.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.messages.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.messages.append("dialog: " + dialog.message), dialog.dismiss()))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(url)
        page.wait_for_selector(ready, state="visible")
        return page

    def expect_refusals(self, *statuses):
        """Chromium writes a line for each refused request. There must be these and no others."""
        lines, self.messages = self.messages, []
        told = [line for line in lines if any(f"status of {status}" in line for status in statuses)]
        check(len(told) == len(lines), f"the console says {lines}")


def answered(page, act):
    """What the page asks because of `act`, and what it gets, once it is shown."""
    before = page.evaluate("document.getElementById('curl').textContent")
    with page.expect_response(lambda response: response.url.endswith("/v1/label")) as response:
        act()
    asked = json.loads(response.value.request.post_data)
    raw = response.value.text()
    if response.value.ok:
        page.wait_for_function(
            "([before, body]) => { const now = document.getElementById('curl').textContent;"
            " return now.includes(body.slice(0, 20)) && !document.getElementById('result').hidden; }",
            arg=[before, json.dumps(asked, ensure_ascii=False, separators=(",", ":"))],
        )
        wait_for_text(page, json.loads(raw)["results"][0]["text"])
    return asked, raw


def wait_for_text(page, text):
    page.wait_for_function(f"(text) => ({LABELLED})() === text", arg=text)


def label(page, text, key=None):
    page.fill("#text", text)
    return answered(page, (lambda: page.press("#text", key)) if key else (lambda: page.click("#send")))


def same(page, answer):
    """The page shows `answer`: the text with its spans, and the table."""
    spans = answer["spans"]
    check(page.evaluate(LABELLED) == answer["text"], "the text is not the one that was sent")
    marks = page.evaluate(MARKS)
    score = lambda span: None if span.get("score") is None else f"{span['score']:.2f}"
    expected = [(span["text"], span["type"], score(span)) for span in spans]
    shown = [(mark["text"], mark["type"], mark["score"]) for mark in marks]
    near = lambda a, b: a == b or (a is not None and b is not None and abs(float(a) - float(b)) < 0.011)
    check(
        len(shown) == len(expected) and all(a[:2] == b[:2] and near(a[2], b[2]) for a, b in zip(shown, expected)),
        f"spans {shown}, expected {expected}",
    )
    rows = [row[:4] for row in page.evaluate(ROWS)]
    check(rows == [[s["text"], s["type"], str(s["start"]), str(s["end"])] for s in spans], f"the table has {rows}")
    check(all(answer["text"][s["start"]:s["end"]] == s["text"] for s in spans), "offsets of the server")
    said = page.inner_text("#status")
    words = len(answer["tokens"])
    check(f"{len(spans):,} span" in said and f"in {words:,} word" in said and said.endswith(" ms"), f"the status is {said}")
    return marks


def colors(marks, known):
    """A type has one color, always, and no two types have the same."""
    for mark in marks:
        check(known.setdefault(mark["type"], mark["edge"]) == mark["edge"], f"{mark['type']} changes its color")
    check(len(set(known.values())) == len(known), f"types share a color: {known}")


def names(page):
    """Every control has a name, and every name of a control is a word of the page."""
    unnamed = page.evaluate(
        "[...document.querySelectorAll('select,input,button,textarea,[role=region],pre')].filter((node) => node.checkVisibility()"
        " && !(node.labels?.length || node.getAttribute('aria-label') || (node.tagName === 'BUTTON' && node.textContent.trim())))"
        ".map((node) => node.outerHTML)"
    )
    check(not unnamed, f"controls without a name: {unnamed}")
    twice = page.evaluate("(() => { const ids = [...document.querySelectorAll('[id]')].map((n) => n.id); return ids.length - new Set(ids).size; })()")
    check(twice == 0, "an id is there twice")


def use(page, server):
    """What a person does with a server of one model."""
    info = json.loads(server.ask("/v1/tasks")[1])
    tasks = sorted(task["task"] for task in info["tasks"])
    check(page.evaluate("[...document.getElementById('task').options].map((o) => o.value)") == tasks, "the tasks")
    check(not page.is_visible("#model"), "one model needs no choice")
    check(page.input_value("#text") != "", "there is an example")
    for task in tasks:
        if page.input_value("#task") != task:
            asked, raw = answered(page, lambda: page.select_option("#task", task))
            check(asked == {"task": task, "text": page.input_value("#text")}, f"a new task asks {asked}")
        known = {}
        for number, text in enumerate(TEXTS):
            asked, raw = label(page, text, "Control+Enter" if number % 2 else None)
            check(asked == {"task": task, "text": text}, f"{text!r} asks {asked}")
            answer = json.loads(raw)["results"][0]
            check(answer == server.label(task=task, text=text), "the answer is that of the route")
            colors(same(page, answer), known)
        own = next(one["tags"] for one in info["tasks"] if one["task"] == task)
        shown = page.evaluate("[...document.querySelectorAll('#legend bdi, #others bdi')].map((node) => node.textContent).sort()")
        check(shown == sorted(own), f"the legend has {shown}")
    check(page.evaluate("getComputedStyle(document.getElementById('labelled')).whiteSpaceCollapse") == "preserve", "blanks are not kept")
    # A text that was typed stays when the task changes.
    typed = page.input_value("#text")
    answered(page, lambda: page.select_option("#task", tasks[0]))
    check(page.input_value("#text") == typed, "the text is lost")

    # The slider, with the keyboard.
    label(page, TEXTS[0])
    with page.expect_response(lambda response: '"threshold":0.6' in (response.request.post_data or "")) as response:
        page.focus("#threshold")
        for _ in range(60):
            page.keyboard.press("ArrowRight")
    answer = response.value.json()["results"][0]
    wait_for_text(page, TEXTS[0])
    page.wait_for_function("(count) => document.querySelectorAll('#labelled mark').length === count", arg=len(answer["spans"]))
    check(page.inner_text("#lowest") == "0.60", "the slider says its value")
    check(all(span["score"] >= 0.6 for span in answer["spans"]), "spans below the threshold")
    same(page, answer)
    asked, _ = answered(page, lambda: page.check("#sentences"))
    check(asked["split_sentences"] is True and asked["threshold"] == 0.6, f"asked {asked}")

    # The command does the same, in a shell.
    for text in TEXTS:
        _, raw = label(page, text)
        command = page.evaluate("document.getElementById('curl').textContent")
        words = shlex.split(command)
        check(words[:2] == ["curl", "--json"] and words[3] == server.address + "/v1/label", f"the command is {command}")
        check(json.loads(words[2])["text"] == text, "the text of the command")
        if shutil.which("curl"):
            done = subprocess.run(["sh", "-c", command.replace("curl ", "curl -s ", 1)], capture_output=True, text=True, timeout=60)
            check(done.stdout == raw, f"{command} says {done.stdout} {done.stderr}")
        page.click("#copy-curl")
        page.wait_for_function("document.getElementById('copy-curl').textContent === 'Copied'")
        check(page.evaluate("navigator.clipboard.readText()") == command, "the command is not copied")

    # The whole answer.
    page.click("#answer summary")
    page.wait_for_function("document.getElementById('json').textContent !== ''")
    shown = page.evaluate("document.getElementById('json').textContent")
    check(json.loads(shown) == json.loads(raw) and "".join(shown.split()) == "".join(raw.split()), "the JSON is another one")
    page.click("#copy-json")
    page.wait_for_function("document.getElementById('copy-json').textContent === 'Copied'")
    check(page.evaluate("navigator.clipboard.readText()") == raw, "the JSON is not copied")
    page.uncheck("#sentences")

    # An empty text and one without words.
    for text in ["", " \n\t "]:
        _, raw = label(page, text)
        same(page, json.loads(raw)["results"][0])
    label(page, TEXTS[0])


def tabs(page):
    """The keyboard reaches every control, in the order of the page."""
    page.focus("#text")
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    for id in ["task", "threshold", "sentences", "send", "labelled", "curl", "copy-curl"]:
        check(id in seen, f"Tab does not reach {id}: {seen}")
    first = [seen.index(id) for id in ["task", "threshold", "sentences", "send", "labelled", "curl"]]
    check(first == sorted(first), f"the order of Tab: {seen}")


def made(page, types):
    """Answers that a small model does not give, with types of the task and one that is none."""
    types = [*types[:5], "<b>type</b>"]
    spans = [
        {"type": types[i % len(types)], "start": a, "end": b, "text": MADE_TEXT[a:b], "word_start": i, "word_end": i + 1, "score": score}
        for i, (a, b, score) in enumerate(MADE_SPANS)
    ]
    tokens = [span["text"] for span in spans]
    answer = {"text": MADE_TEXT, "tokens": tokens, "spans": spans, "confidences": [1.0] * len(tokens), "truncated_words": [1]}
    many = "x " * 1000
    long = {
        "text": many, "tokens": ["x"] * 1000, "confidences": [1.0] * 1000,
        "spans": [{"type": "city", "start": 2 * i, "end": 2 * i + 1, "text": "x", "score": 1.0} for i in range(1000)],
    }
    free = {"text": "a b", "tokens": ["a", "b"], "spans": [{"type": "city", "start": 0, "end": 1, "text": "a"}]}
    answers = iter([answer, long])
    serve = lambda route: route.fulfill(json={"task": "x", "model": "x", "results": [next(answers)]})
    page.route("**/v1/label", serve)
    label(page, "made")
    same(page, answer)
    check("👩‍👩‍👧" in page.inner_text("#cut"), "the word that was cut is named")
    check(page.evaluate("document.querySelectorAll('#labelled b, #labelled i').length") == len(spans), "a type became HTML")
    check(page.evaluate("[...document.querySelectorAll('.unsure')].map((mark) => mark.firstChild.textContent)") == ["𝒳"], "dashed borders")
    colors(page.evaluate(MARKS), {})
    page.click("#rows a >> nth=3")
    check(page.evaluate("document.querySelector('#labelled :target').firstChild.textContent") == "東京", "a row leads to its span")
    label(page, "many")
    check(len(page.evaluate(ROWS)) == 200 and page.inner_text("#more") == "Show all 1000", "long tables are cut")
    page.click("#more")
    check(len(page.evaluate(ROWS)) == 1000 and not page.is_visible("#more"), "the rest of the table")
    page.unroute("**/v1/label")
    answers = iter([free])
    page.route("**/v1/label", serve)
    label(page, "free")
    same(page, free)
    check(page.is_disabled("#threshold") and page.inner_text("#lowest") == "this model gives none", "without scores there is no threshold")
    page.unroute("**/v1/label")


def errors(browser, page, server):
    """Errors are shown as the server says them, and the next answer takes their place."""
    def shows(message, code):
        page.wait_for_function("(message) => document.getElementById('message').textContent === message", arg=message)
        check(page.is_visible("#problem") and page.get_attribute("#problem", "role") == "alert", "an alert")
        check(page.inner_text("#code") == code, f"{page.inner_text('#code')}, expected {code}")
        check(not page.is_visible("#result"), "an old answer stays next to an error")

    many = "word " * 301
    status, raw = server.ask("/v1/label", {"task": page.input_value("#task"), "text": many})
    check(status == 413, f"{status} {raw}")
    label(page, many)
    shows(json.loads(raw)["error"], "HTTP 413 · too_large")
    label(page, TEXTS[0])
    check(not page.is_visible("#problem"), "an error stays")
    for status, body, headers, message, code in [
        (429, '{"error":"too many <b>","error_type":"overloaded"}', {"Retry-After": "3"}, "too many <b>", "HTTP 429 · overloaded · try again in 3 s"),
        (502, "<html>Bad Gateway", {}, "This is no answer of a HyperLoader server.", "HTTP 502 · Bad Gateway"),
    ]:
        page.route("**/v1/label", lambda route: route.fulfill(status=status, body=body, headers=headers))
        label(page, "x")
        shows(message, code)
        page.unroute("**/v1/label")
    browser.expect_refusals(413, 429, 502)
    # Pages of strings are refused by the browser itself.
    refused = page.evaluate("(() => { try { document.body.innerHTML = '<b>x</b>'; return false; } catch (error) { return error instanceof TypeError; } })()")
    check(refused, "strings can become HTML")
    browser.messages.clear()
    label(page, TEXTS[0])
    check(server.stop() == 0, "the server ends")
    page.click("#send")
    page.wait_for_function("document.getElementById('message').textContent === 'The server does not answer.'")
    browser.messages.clear()


def tokens(browser, command, models):
    """The token is asked for when the server wants one, and is shown nowhere."""
    with tempfile.NamedTemporaryFile("w", suffix=".token") as file:
        file.write(TOKEN + "\n")
        file.flush()
        with Server(command, models, "--token-file", file.name) as server:
            page = browser.open(server.address, "#let-in")
            said = json.loads(server.ask("/v1/tasks")[1])["error"]
            check(page.inner_text("#message") == said and not page.is_visible("#result"), "what the server says")
            check(page.evaluate("document.activeElement.id") == "token", "the field has the focus")
            names(page)
            for wrong in ["wrong", "no blanks"]:
                page.fill("#token", wrong)
                page.press("#token", "Enter")
                page.wait_for_timeout(300)
                check(page.is_visible("#let-in") and not page.is_visible("#result"), f"{wrong!r} lets in")
            page.fill("#token", TOKEN)
            page.press("#token", "Enter")
            page.wait_for_selector("#result", state="visible")
            check(not page.is_visible("#let-in") and not page.is_visible("#problem"), "the field stays")
            command_line = page.evaluate("document.getElementById('curl').textContent")
            check('-H "Authorization: Bearer $TOKEN"' in command_line, command_line)
            check(TOKEN not in page.content() and TOKEN not in page.evaluate("document.body.innerText"), "the token is shown")
            kept = page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length")
            check(kept == 0, "the page keeps something")
            browser.expect_refusals(401)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a trained run with confidences, or a compiled folder; NAME=FOLDER works too")
    parser.add_argument("--other", help="a second model, for the choice of models")
    parser.add_argument("--command", default="hyperloader", help="the command; default: hyperloader")
    parser.add_argument("--shots", type=pathlib.Path, help="a folder for screenshots")
    parser.add_argument("--axe", type=pathlib.Path, help="axe.min.js of axe-core, whose rules are checked too")
    arguments = parser.parse_args()
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        browser_path = None
    if not browser_path:
        print("SKIPPED: this needs chromium and the Python package playwright")
        return
    shots = arguments.shots
    if shots:
        shots.mkdir(parents=True, exist_ok=True)

    def looks(page, name):
        """Contrast, names and accessibility of what is visible; a screenshot."""
        ratio, where = page.evaluate(CONTRAST)
        check(ratio >= 4.5, f"{name}: contrast {ratio:.2f} of {where}")
        names(page)
        if arguments.axe:
            page.evaluate(arguments.axe.read_text())
            found = page.evaluate("axe.run().then((found) => found.violations.map((v) => v.id + ' ' + v.nodes.map((n) => n.html)))")
            check(not found, f"{name}: axe says {found}")
        if shots:
            page.screenshot(path=shots / f"{name}.png", full_page=True)
        print(f"{name}: contrast at least {ratio:.1f}")

    text = "\n".join(TEXTS[:-1])
    wide = {"viewport": {"width": 1200, "height": 900}, "permissions": ["clipboard-read", "clipboard-write"]}
    narrow = {"viewport": {"width": 360, "height": 800}, "device_scale_factor": 2, "is_mobile": True}
    with sync_playwright() as play:
        browser = Browser(play.chromium.launch(executable_path=browser_path, args=["--no-sandbox"]))
        with Server(arguments.command, [arguments.model], "--max-words", "300") as server:
            page = browser.open(server.address, **wide)
            looks(page, "example")
            use(page, server)
            tabs(page)
            info = json.loads(server.ask("/v1/tasks")[1])
            made(page, next(one["tags"] for one in info["tasks"] if one["task"] == page.input_value("#task")))
            for name, options in [("light", {}), ("dark", {"color_scheme": "dark"}), ("phone", narrow), ("phone-dark", {**narrow, "color_scheme": "dark"})]:
                page = browser.open(server.address, **{**wide, **options})
                label(page, text)
                page.click("#answer summary")
                if page.is_visible("#others summary"):
                    page.click("#others summary")
                width = page.evaluate("document.documentElement.scrollWidth")
                check(width <= page.viewport_size["width"], f"{name}: the page is {width} pixels wide")
                looks(page, name)
            before = page.evaluate("getComputedStyle(document.body).backgroundColor")
            page.click("#theme")
            check(before != page.evaluate("getComputedStyle(document.body).backgroundColor"), "the theme button changes nothing")
            looks(page, "phone-light")
            with below("/a/path", server) as origin:
                for end in ["", "/"]:
                    page = browser.open(origin + "/a/path" + end, **wide)
                    check(f"{origin}/a/path/v1/label" in page.evaluate("document.getElementById('curl').textContent"), "the path of a proxy")
            own = (server.address + "/", origin + "/a/path")
            others = [url for url in browser.requests if not url.startswith((*own, "data:"))]
            check(not others, f"requests: {others}")
            check(not browser.messages, f"the console says {browser.messages}")
            page = browser.open(server.address, **wide)
            errors(browser, page, server)
        if arguments.other:
            with Server(arguments.command, [arguments.model, arguments.other]) as server:
                page = browser.open(server.address, **wide)
                models = [model["model"] for model in json.loads(server.ask("/v1/tasks")[1])["models"]]
                check(page.evaluate("[...document.getElementById('model').options].map((o) => o.value)") == models, "the models")
                for model in models[::-1]:
                    if page.input_value("#model") != model:
                        answered(page, lambda: page.select_option("#model", model))
                    asked, raw = label(page, TEXTS[0])
                    check(asked["model"] == model and json.loads(raw)["model"] == model, f"asked {asked}")
                    same(page, json.loads(raw)["results"][0])
                    looks(page, f"model-{models.index(model)}")
        check(not browser.messages, f"the console says {browser.messages}")
        tokens(browser, arguments.command, [arguments.model])
        browser.chromium.close()
    print(f"{checked} checks; {len(browser.requests)} requests, all to the server; no console messages but refused requests")


if __name__ == "__main__":
    main()
