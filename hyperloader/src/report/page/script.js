"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };

  // Tables that can be sorted. Rows without a number are last.
  const key = (row, column) => {
    const cell = row.cells[column];
    const text = cell.textContent.trim();
    if (column === 0) return text;
    const number = Number(cell.dataset.v ?? text);
    return text === "" || Number.isNaN(number) ? null : number;
  };
  const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
  const sort = (table, column, down) => {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [key(row, column), row]);
    rows.sort(([a], [b]) => a === null || b === null ? (a === null) - (b === null) : down ? compare(b, a) : compare(a, b));
    body.append(...rows.map(([, row]) => row));
    [...table.tHead.rows[0].cells].forEach((head, index) => {
      if (index === column) head.setAttribute("aria-sort", down ? "descending" : "ascending"); else head.removeAttribute("aria-sort");
    });
  };
  for (const table of document.querySelectorAll("table:not(.fixed)")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = make("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        sort(table, column, now ? now === "ascending" : column !== 0);
      });
    });
  }

  // One model and task at a time.
  const study = byId("study");
  if (study) {
    const show = () => { for (const one of document.querySelectorAll(".study")) one.hidden = one.id !== study.value; };
    study.addEventListener("change", show);
    byId("study-picker").hidden = study.options.length < 2;
    show();
  }

  // The sentences.
  const source = byId("data");
  if (!source) return;
  const corpora = JSON.parse(source.textContent).corpora;
  const [corpusSelect, modelSelect, kindSelect, typeSelect, wordsInput] = ["corpus", "model", "kind", "type", "words"].map(byId);
  const list = byId("list");
  const KINDS = ["correct", "wrong type", "wrong border", "missed", "invented"];
  const SIGNS = ["✓", "✗", "↔", "−", "+"];
  const PAGE = 25;
  let found = [];
  let shown = 0;

  const fill = (select, entries) => select.replaceChildren(...entries.map(([value, text]) => {
    const option = make("option", "", text);
    option.value = value;
    return option;
  }));
  const corpus = () => corpora[Number(corpusSelect.value)];
  const models = () => modelSelect.value === "all" ? corpus().models.map((_, index) => index) : [Number(modelSelect.value)];

  const typesOf = (sentence, [, gold, predicted]) => {
    const types = predicted ? [predicted[2]] : [];
    if (gold >= 0) types.push(sentence.g[gold][2]);
    return types;
  };
  const passes = (sentence) => {
    const words = wordsInput.value.trim().toLowerCase();
    if (words && !sentence.w.join(" ").toLowerCase().includes(words)) return false;
    const [kind, type] = [kindSelect.value, typeSelect.value];
    const matches = models().flatMap((index) => sentence.p[index]);
    if (kind === "right") {
      return matches.every(([k]) => k === 0) && (type === "all" || matches.some((match) => typesOf(sentence, match).includes(type)));
    }
    if (kind === "any" && type === "all") return true;
    return matches.some((match) => (kind === "any" || (kind === "error" ? match[0] !== 0 : match[0] === Number(kind)))
      && (type === "all" || typesOf(sentence, match).includes(type)));
  };

  // Words with spans: [first, end, class, sign, label, title]. Spans do not overlap.
  const text = (words, spans) => {
    const line = make("div", "text");
    line.dir = "auto";
    let next = 0;
    for (const [start, end, className, sign, label, title] of [...spans].sort((a, b) => a[0] - b[0])) {
      if (start > next) line.append(words.slice(next, start).join(" "), " ");
      const mark = make("span", "span " + className);
      if (sign) mark.append(make("b", "", sign), "\u00a0");
      if (title) { mark.title = title; mark.append(make("span", "sr", title + ": ")); }
      mark.append(make("bdi", "", words.slice(start, end).join(" ")));
      const small = make("small");
      small.append(make("bdi", "", label));
      mark.append(small);
      line.append(mark, " ");
      next = Math.max(next, end);
    }
    line.append(words.slice(next).join(" "));
    return line;
  };
  const predictedSpans = (sentence, matches) => {
    const taken = new Set();
    const spans = [];
    for (const [kind, gold, span] of matches) {
      if (!span) continue;
      const [start, end, type, score] = span;
      for (let word = start; word < end; word += 1) taken.add(word);
      const title = KINDS[kind] + (kind === 1 && gold >= 0 ? ", gold: " + sentence.g[gold][2] : "");
      spans.push([start, end, "k" + kind, SIGNS[kind], type + (score === null ? "" : " " + score.toFixed(2)), title]);
    }
    for (const [kind, gold] of matches) {
      if (kind !== 3) continue;
      const [start, end, type] = sentence.g[gold];
      // A missed span may share words with a prediction that belongs to another gold span.
      let clear = true;
      for (let word = start; word < end; word += 1) clear = clear && !taken.has(word);
      if (clear) spans.push([start, end, "k3", SIGNS[3], type, KINDS[3]]);
    }
    return spans;
  };
  const item = (sentence) => {
    const row = make("li");
    row.append(make("div", "who", "#" + sentence.n + " gold"));
    row.append(text(sentence.w, sentence.g.map(([start, end, type]) => [start, end, "gold", "", type, ""])));
    for (const index of models()) {
      row.append(make("div", "who", corpus().models[index]));
      row.append(text(sentence.w, predictedSpans(sentence, sentence.p[index])));
    }
    return row;
  };
  const more = () => {
    list.append(...found.slice(shown, shown + PAGE).map(item));
    shown = Math.min(found.length, shown + PAGE);
    byId("more").hidden = shown === found.length;
    byId("count").textContent = found.length + " of " + corpus().sentences.length + " sentences" + (shown < found.length ? ", " + shown + " shown" : "");
  };
  const apply = () => {
    found = corpus().sentences.filter(passes);
    shown = 0;
    list.replaceChildren();
    more();
  };
  const choose = () => {
    const all = corpus().models.map((name, index) => [String(index), name]);
    fill(modelSelect, all.length > 1 ? [["all", "all models"], ...all] : all);
    const types = new Set();
    for (const sentence of corpus().sentences) {
      for (const span of sentence.g) types.add(span[2]);
      for (const matches of sentence.p) for (const match of matches) if (match[2]) types.add(match[2][2]);
    }
    fill(typeSelect, [["all", "all types"], ...[...types].sort().map((type) => [type, type])]);
    byId("corpus-note").textContent = corpus().note;
    apply();
  };
  fill(corpusSelect, corpora.map((one, index) => [String(index), one.name]));
  corpusSelect.addEventListener("change", choose);
  for (const select of [modelSelect, kindSelect, typeSelect]) select.addEventListener("change", apply);
  wordsInput.addEventListener("input", apply);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("more").addEventListener("click", more);
  byId("filters").hidden = false;
  if (corpora.length) choose();
})();
