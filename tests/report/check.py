"""Opens a page of `hyperloader report` in headless Chromium, uses it, and fails at anything that is wrong."""

import argparse
import json
import os
import pathlib
import shutil
import sys

KINDS = {"1": "wrong type", "2": "wrong border", "3": "missed", "4": "invented"}


def check(condition, message):
    if not condition:
        sys.exit(f"FAILED: {message}")


def choose(page, selector, value):
    """Sets a control as a person does: its value changes, then the page hears of it."""
    page.evaluate(
        "([selector, value]) => { const control = document.querySelector(selector); control.value = value;"
        " if (control.value !== value) throw new Error(selector + ' has no ' + value);"
        " for (const kind of ['input', 'change']) control.dispatchEvent(new Event(kind, { bubbles: true })); }",
        [selector, value],
    )


def sorting(page):
    """Each column of each sortable table goes up and down, and numbers are sorted as numbers."""
    checked = 0
    for table in page.query_selector_all("table:not(.fixed)"):
        if not table.is_visible():
            continue
        for column, button in enumerate(table.query_selector_all("thead button")):
            orders = set()
            for _ in range(2):
                button.click()
                orders.add(table.evaluate("(t, c) => t.tHead.rows[0].cells[c].getAttribute('aria-sort')", column))
                cells = table.evaluate("(t, c) => [...t.tBodies[0].rows].map(r => r.cells[c].textContent.trim())", column)
                numbers = []
                for cell in cells if column else []:
                    try:
                        numbers.append(float(cell.split(" ")[0]))
                    except ValueError:
                        pass
                up = table.evaluate("(t, c) => t.tHead.rows[0].cells[c].getAttribute('aria-sort')", column) == "ascending"
                check(numbers == sorted(numbers, reverse=not up), f"column {column} is not sorted: {cells}")
            check(orders == {"ascending", "descending"}, f"aria-sort of column {column}: {orders}")
            checked += 1
    return checked


def filters(page):
    """Each filter leaves only the sentences that it should, and says how many."""
    corpora = json.loads(page.evaluate("document.getElementById('data').textContent"))["corpora"]
    checked = 0
    for number, corpus in enumerate(corpora):
        choose(page, "#corpus", str(number))
        models = range(len(corpus["models"]))
        for model in (["all"] if len(corpus["models"]) > 1 else []) + [str(m) for m in models]:
            choose(page, "#model", model)
            chosen = list(models) if model == "all" else [int(model)]
            for kind in ["any", "error", "right", *KINDS]:
                choose(page, "#kind", kind)
                expected = 0
                for sentence in corpus["sentences"]:
                    outcomes = [match[0] for m in chosen for match in sentence["p"][m]]
                    wrong = any(outcomes)
                    expected += {"any": True, "error": wrong, "right": not wrong}.get(kind, kind.isdigit() and int(kind) in outcomes)
                said, rows = page.evaluate("[document.getElementById('count').textContent, document.querySelectorAll('#list > li').length]")
                check(said.startswith(f"{expected} of {len(corpus['sentences'])} sentences"), f"{kind}: {said}, expected {expected}")
                check(rows == min(25, expected), f"{kind}: rows")
                checked += 1
            choose(page, "#kind", "any")
            types = sorted({span[2] for sentence in corpus["sentences"] for span in sentence["g"]})
            for kind in types[:4]:
                choose(page, "#type", kind)
                for row in page.query_selector_all("#list > li")[:5]:
                    check(kind in row.inner_text(), f"type {kind} is not in {row.inner_text()}")
                checked += 1
            choose(page, "#type", "all")
        word = next((w for s in corpus["sentences"] for w in s["w"] if len(w) > 2), None)
        if word:
            choose(page, "#words", word)
            for row in page.query_selector_all("#list > li"):
                check(word.lower() in row.inner_text().lower(), f"search for {word}")
            choose(page, "#words", "")
            checked += 1
        rows = page.evaluate(
            "() => { const more = document.getElementById('more'); while (!more.hidden) more.click();"
            " return document.querySelectorAll('#list > li').length; }"
        )
        check(rows == len(corpus["sentences"]), "Show more shows them all")
    choose(page, "#corpus", "0")
    return checked


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("--shots", type=pathlib.Path, help="a folder for screenshots and the PDF")
    arguments = parser.parse_args()
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        browser_path = None
    if not browser_path:
        print("SKIPPED: this needs chromium and the Python package playwright")
        return
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        problems, requests = [], []

        def opened(**options):
            page = browser.new_context(**options).new_page()
            page.set_default_timeout(120_000)
            page.on("console", lambda m: problems.append(f"{m.type}: {m.text}") if m.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("dialog", lambda dialog: (problems.append("a dialog: " + dialog.message), dialog.dismiss()))
            page.on("request", lambda request: requests.append(request.url))
            page.goto(arguments.page.resolve().as_uri())
            return page

        page = opened(viewport={"width": 1200, "height": 900})
        shot = lambda page, name, **more: arguments.shots and page.screenshot(path=arguments.shots / name, **more)
        if arguments.shots:
            arguments.shots.mkdir(parents=True, exist_ok=True)
        shot(page, "light.png", full_page=True)
        print(f"{sorting(page)} columns sorted")
        if page.query_selector("#filters"):
            print(f"{filters(page)} filters applied")
        unnamed = page.evaluate(
            "[...document.querySelectorAll('select,input,button,[role=img],[role=region]')].filter(e => !(e.labels?.length || "
            "e.getAttribute('aria-label') || e.textContent.trim())).length"
        )
        check(unnamed == 0, f"{unnamed} controls without a name")
        before = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.click("#theme")
        check(before != page.evaluate("getComputedStyle(document.body).backgroundColor"), "the theme button changes nothing")
        page.click("#theme")
        if arguments.shots:
            page.pdf(path=arguments.shots / "print.pdf", format="A4")
        shot(opened(viewport={"width": 1200, "height": 900}, color_scheme="dark"), "dark.png", full_page=True)
        phone = opened(viewport={"width": 390, "height": 844}, device_scale_factor=2, is_mobile=True)
        wide = phone.evaluate("document.documentElement.scrollWidth")
        check(wide <= 390, f"the page is {wide} pixels wide on a phone of 390")
        shot(phone, "phone.png", full_page=True)
        check(not problems, f"the console says {problems}")
        others = [url for url in requests if not url.startswith("file:")]
        check(not others, f"requests: {others}")
        browser.close()
    print(f"no console messages, no requests besides the page; {arguments.page.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
