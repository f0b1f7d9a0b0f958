// The form: what is asked, and when.
const [text, model, task, threshold, sentences, token] = ["text", "model", "task", "threshold", "sentences", "token"].map(byId);
let tasks = [];
let models = [];
const chosen = () => tasks.find((one) => one.task === task.value && one.model === model.value);

// What went wrong, in the server's words.
const say = (message) => { byId("status").textContent = message; };
const clear = () => { byId("problem").hidden = true; byId("let-in").hidden = true; };
const show = (error) => {
  byId("result").hidden = true;
  say("");
  const isRefusal = error instanceof Refusal;
  byId("message").textContent = isRefusal ? error.message : "The server does not answer.";
  byId("code").textContent = isRefusal ? error.code + (error.seconds ? " · try again in " + error.seconds + " s" : "") : String(error.message);
  byId("problem").hidden = false;
  byId("let-in").hidden = error.status !== 401;
  if (error.status === 401) token.focus();
};

// Texts to try: the one whose words are most often types of the task.
const EXAMPLES = [
  ["person per location loc organization org date", "Ada Lovelace met Charles Babbage in London in June 1833, long before there was an IBM."],
  ["origin destination departure fromloc toloc city airline flight", "book a flight from boston to denver on friday morning"],
  ["device room time temperature scene brightness", "turn on the lamp in the living room at half past six"],
  ["artist album track playlist song music service", "play the track wild road by young foxes from the album sunday fire"],
  ["actor director genre year title film movie plot", "which science fiction films directed by steven spielberg came out in the 1980s"],
  ["cuisine dish restaurant amenity hours price rating", "find me a cheap italian restaurant near the airport that is open late"],
  ["gene protein disease chemical drug cell", "Mutations of BRCA1 raise the risk of breast cancer, and olaparib slows the growth of such tumors."],
];
const example = () => {
  const words = new Set(typesOfTask.flatMap((type) => type.toLowerCase().split(/[^a-z]+/)));
  const fits = ([types]) => types.split(" ").filter((type) => words.has(type)).length;
  return EXAMPLES.reduce((best, one) => fits(one) > fits(best) ? one : best)[1];
};
let offered = "";
const offer = () => {
  if (text.value !== offered) return;
  offered = example();
  text.value = offered;
};

// Models and tasks.
const fill = (select, names) => {
  const kept = select.value;
  select.replaceChildren(...names.map((name) => new Option(name, name)));
  if (names.includes(kept)) select.value = kept;
};
const chooseModel = () => {
  fill(task, tasks.filter((one) => one.model === model.value).map((one) => one.task).sort());
  const info = models.find((one) => one.model === model.value);
  const facts = [model.value, info.parameters.toLocaleString("en") + " parameters", info.dtype];
  byId("about").textContent = "Labels spans of texts · " + facts.join(" · ");
  chooseTask();
};
const chooseTask = () => {
  typesOfTask = chosen()?.tags ?? [];
  offer();
};
const scoreless = new Set();
const allowThreshold = () => {
  threshold.disabled = scoreless.has(model.value);
  byId("lowest").textContent = threshold.disabled ? "this model gives none" : threshold.valueAsNumber.toFixed(2);
};
const start = async () => {
  try {
    await ask("ready");
    ({ tasks, models } = (await ask("v1/tasks")).json);
  } catch (error) {
    show(error);
    if (error.status !== 401) setTimeout(start, 1000 * (error.seconds || 2));
    return;
  }
  clear();
  if (!tasks.length) { say("No model is loaded."); return; }
  fill(model, models.map((one) => one.model));
  byId("model-field").hidden = models.length < 2;
  byId("send").disabled = false;
  chooseModel();
  label();
};

// Copying. Browsers offer the clipboard on https and on this machine alone.
const copy = async (words, button) => {
  let done = true;
  try {
    await navigator.clipboard.writeText(words);
  } catch {
    const area = make("textarea");
    area.value = words;
    document.body.append(area);
    area.select();
    done = document.execCommand("copy");
    area.remove();
  }
  button.textContent = done ? "Copied" : "Select it";
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
};
byId("copy-curl").addEventListener("click", (event) => copy(byId("curl").textContent, event.target));
byId("copy-json").addEventListener("click", (event) => copy(latest, event.target));

// Asking. A new question ends the one before.
let running;
const label = async () => {
  if (!task.value) return;
  running?.abort();
  const own = new AbortController();
  running = own;
  allowThreshold();
  const asked = { task: task.value };
  if (models.length > 1) asked.model = model.value;
  asked.text = text.value;
  if (threshold.valueAsNumber > 0 && !threshold.disabled) asked.threshold = threshold.valueAsNumber;
  if (sentences.checked) asked.split_sentences = true;
  const body = JSON.stringify(asked);
  const slow = setTimeout(() => say("Labelling …"), 300);
  const started = performance.now();
  try {
    const { raw, json } = await ask("v1/label", body, own.signal);
    const time = performance.now() - started;
    if (running !== own) return;
    clear();
    byId("curl").textContent = curl(body);
    const answer = json.results[0];
    if (answer.tokens.length && !answer.confidences) scoreless.add(model.value);
    allowThreshold();
    say(render(answer, raw, time));
  } catch (error) {
    if (running === own) show(error);
  } finally {
    clearTimeout(slow);
  }
};
let waiting;
const again = () => { clearTimeout(waiting); waiting = setTimeout(label, 150); };
byId("ask").addEventListener("submit", (event) => { event.preventDefault(); label(); });
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); label(); }
});
model.addEventListener("change", () => { chooseModel(); again(); });
task.addEventListener("change", () => { chooseTask(); again(); });
sentences.addEventListener("change", again);
threshold.addEventListener("input", () => { allowThreshold(); again(); });
byId("let-in").addEventListener("submit", (event) => {
  event.preventDefault();
  bearer = token.value.trim();
  token.setCustomValidity(/^[!-~]+$/.test(bearer) ? "" : "A token has printable ASCII characters and no blanks.");
  if (!token.reportValidity()) return;
  if (tasks.length) label(); else start();
});
token.addEventListener("input", () => token.setCustomValidity(""));
start();
