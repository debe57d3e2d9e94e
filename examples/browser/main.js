// The model reads raw columns. So this page asks for them and shows what comes out: no
// scaling, no encoding.

import * as ort from "./node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs";

const [form] = document.forms;
const [result, verdict, bars, note] = ["result", "verdict", "bars", "note"].map((id) =>
  document.getElementById(id),
);

// by type of the graph's input: what it takes for the text of a field, "" for none
const VALUES = {
  float64: (text) => (text === "" ? NaN : Number(text)),
  string: (text) => text,
};

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// The form

function fieldOf({ name, meaning, kind, typical, choices = [] }) {
  const input = make("input", { id: name, name, placeholder: `such as ${typical}` });
  const label = make("label", { htmlFor: name }, name, make("small", {}, meaning));
  if (kind === "number") {
    Object.assign(input, { type: "number", step: "any", inputMode: "decimal" });
    return make("div", { className: "field" }, label, input);
  }
  input.type = "search";
  input.setAttribute("list", `${name}-choices`);
  const options = choices.map((value) => make("option", { value }));
  const list = make("datalist", { id: `${name}-choices` }, ...options);
  return make("div", { className: "field" }, label, input, list);
}

function buildForm(fields) {
  for (const title of new Set(fields.map((field) => field.group))) {
    const members = fields.filter((field) => field.group === title);
    const legend = make("legend", {}, title);
    const grid = make("div", { className: "grid" }, ...members.map(fieldOf));
    document.getElementById("groups").append(make("fieldset", {}, legend, grid));
  }
}

function fillIn(fields) {
  for (const { name, typical } of fields) form.elements[name].value = typical;
}

// The model

function feedsOf(session) {
  const feeds = session.inputMetadata.map(({ name, type }) => {
    const value = VALUES[type](form.elements[name].value.trim());
    return [name, new ort.Tensor(type, [value], [1, 1])];
  });
  return Object.fromEntries(feeds);
}

// The result

function barOf(label, probability) {
  const percent = `${(100 * probability).toFixed(1)} %`;
  const number = make("data", { value: String(probability) }, percent);
  const bar = make("div", { className: "bar" }, make("div"));
  bar.firstChild.style.width = `${100 * probability}%`;
  return make("li", {}, make("span", {}, label), number, bar);
}

function remark(fields) {
  const filled = fields.map((field) => [field, form.elements[field.name].value.trim()]);
  const empty = filled.filter(([, text]) => text === "").length;
  const unseen = filled.filter(
    ([field, text]) => text !== "" && field.choices && !field.choices.includes(text),
  );
  return [
    empty && `Missing: ${empty} of ${fields.length} fields.`,
    ...unseen.map(([field, text]) => `${field.name} “${text}” was not seen in training.`),
  ].filter(Boolean).join(" ");
}

async function update(session, { fields, classes }) {
  const wrong = fields.find(({ name }) => !form.elements[name].validity.valid);
  if (wrong) {
    verdict.textContent = `${wrong.name} is no number.`;
    bars.replaceChildren();
    note.textContent = "";
    return;
  }
  const { probabilities } = await session.run(feedsOf(session));
  const shares = Array.from(probabilities.data);
  const best = classes[shares.indexOf(Math.max(...shares))];
  verdict.replaceChildren("Probably ", make("strong", {}, best));
  bars.replaceChildren(...classes.map((label, place) => barOf(label, shares[place])));
  note.textContent = remark(fields);
}

async function load(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path} is not there; run train.py first.`);
  return answer;
}

async function main() {
  const about = await (await load("dist/fields.json")).json();
  const model = await (await load("dist/model.onnx")).arrayBuffer();
  const session = await ort.InferenceSession.create(model);
  buildForm(about.fields);

  // a session computes one result at a time
  let queue = Promise.resolve();
  const refresh = () => {
    result.ariaBusy = "true";
    const turn = queue.then(() => update(session, about)).catch(complain);
    queue = turn.then(() => turn === queue);
    queue.then(() => (result.ariaBusy = "false"));
  };
  form.addEventListener("input", refresh);
  form.addEventListener("reset", () => setTimeout(refresh)); // once all is empty
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("typical").addEventListener("click", () => {
    fillIn(about.fields);
    refresh();
  });
  fillIn(about.fields);
  refresh();
}

function complain(error) {
  verdict.textContent = error.message;
  throw error;
}

main().catch(complain);
