// Showing an answer.

// A type of a task has the same color in every answer. Neighbors in the list are far apart on the circle of hues; with many types, every
// other place of the circle is paler.
let typesOfTask = [];
const coprime = (a, b) => b === 0 ? a === 1 : coprime(b, a % b);
const stride = (count) => {
  let step = Math.max(1, Math.round(count * 0.382));
  while (!coprime(step, count)) step += 1;
  return step;
};
const paint = (node, type) => {
  const [count, index] = [typesOfTask.length, typesOfTask.indexOf(type)];
  const place = (index * stride(count)) % count;
  const isKnown = index >= 0;
  node.style.setProperty("--hue", isKnown ? (250 + (360 * place) / count) % 360 : 0);
  node.style.setProperty("--pale", isKnown && count > 8 ? place % 2 : 0);
  node.style.setProperty("--chroma", isKnown ? 0.15 : 0);
};

const UNSURE = 0.5;

// Whether the last letter is of a script that runs from right to left. The name of the type then stays next to it (see style.css).
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const direction = (characters) => RIGHT_TO_LEFT.test(characters.findLast((one) => /\p{L}/u.test(one)) ?? "") ? "rtl" : "ltr";

// Offsets count code points, strings of JavaScript have UTF-16 units.
const name = (type, score) => {
  const small = make("small");
  small.append(make("bdi", "", type));
  if (score !== undefined) small.append(make("b", "", score.toFixed(2)));
  return small;
};
const textWithSpans = ({ text, spans }) => {
  const characters = Array.from(text);
  const cut = (start, end) => characters.slice(start, end).join("");
  const line = document.createDocumentFragment();
  let next = 0;
  spans.forEach(({ type, start, end, score }, index) => {
    line.append(cut(next, start));
    const mark = make("mark", "span " + direction(characters.slice(start, end)) + (score < UNSURE ? " unsure" : ""), cut(start, end));
    mark.id = "span-" + (index + 1);
    paint(mark, type);
    mark.style.setProperty("--sure", score ?? 1);
    mark.append(name(type, score));
    line.append(mark);
    next = end;
  });
  line.append(cut(next));
  return line;
};
const dot = (type) => {
  const dot = make("span", "dot");
  paint(dot, type);
  return dot;
};
const legend = (spans) => {
  const counts = new Map();
  for (const { type } of spans) counts.set(type, (counts.get(type) ?? 0) + 1);
  const item = (type, count) => {
    const item = make("li");
    item.append(dot(type), make("bdi", "", type));
    if (count) item.append(" ", make("small", "", String(count)));
    return item;
  };
  byId("legend").replaceChildren(...[...counts].map(([type, count]) => item(type, count)));
  if (spans.some(({ score }) => score < UNSURE)) byId("legend").append(make("li", "hint", "dashed: score below " + UNSURE));
  const rest = typesOfTask.filter((type) => !counts.has(type));
  const others = byId("others");
  others.hidden = !rest.length;
  others.querySelector("summary").textContent = rest.length + (rest.length === 1 ? " other type" : " other types") + " of this task";
  others.querySelector("ul").replaceChildren(...rest.map((type) => item(type)));
};
const row = ({ type, start, end, text, score }, index) => {
  const row = make("tr");
  const head = make("th");
  head.scope = "row";
  const link = make("a", "", text);
  link.href = "#span-" + (index + 1);
  link.dir = "auto";
  head.append(link);
  const kind = make("td");
  kind.append(dot(type), make("bdi", "", type));
  const sure = make("td");
  if (score !== undefined) {
    const bar = make("span", "bar");
    bar.style.setProperty("--w", score);
    sure.append(bar, make("span", "v", score.toFixed(4)));
  }
  sure.hidden = score === undefined;
  row.append(head, kind, make("td", "", String(start)), make("td", "", String(end)), sure);
  for (const [event, on] of [["pointerenter", true], ["pointerleave", false]]) {
    row.addEventListener(event, () => byId("span-" + (index + 1)).classList.toggle("on", on));
  }
  return row;
};
const ROWS = 200;
let spansShown = [];
const more = (all) => {
  const have = byId("rows").rows.length;
  byId("rows").append(...spansShown.slice(have, all ? undefined : ROWS).map((span, index) => row(span, have + index)));
  byId("more").hidden = byId("rows").rows.length === spansShown.length;
  byId("more").textContent = "Show all " + spansShown.length;
};
let latest = "";
const showJson = () => {
  if (byId("answer").open && !byId("json").textContent) byId("json").textContent = inLines(latest, 90);
};
byId("answer").addEventListener("toggle", showJson);
byId("more").addEventListener("click", () => more(true));

const count = (number, word) => number.toLocaleString("en") + " " + word + (number === 1 ? "" : "s");
const render = (answer, raw, milliseconds) => {
  const { tokens, spans, confidences, truncated_words: long } = answer;
  byId("labelled").replaceChildren(textWithSpans(answer));
  legend(spans);
  byId("table").hidden = !spans.length;
  byId("score").hidden = !confidences;
  byId("rows").replaceChildren();
  spansShown = spans;
  more(false);
  byId("cut").hidden = !long?.length;
  byId("cut").textContent = "Words with more tokens than a window holds were cut: " + (long ?? []).map((word) => tokens[word]).join(", ");
  latest = raw;
  byId("json").textContent = "";
  showJson();
  byId("result").hidden = false;
  return count(spans.length, "span") + " in " + count(tokens.length, "word") + " · " + Math.max(1, Math.round(milliseconds)) + " ms";
};
