/* The page: reads the controls, trains a little per frame, draws what the network says. */
"use strict";

const ALPHAS = [0, 0.01, 0.1, 0.3, 1, 3, 10, 30];
const LEARNING_RATE = 0.01;
const N_LEARNT = 200; // the other points tell how well
const CELLS = 80; // of the map, per side
const REACH = 2.5; // of the map, to all sides
const MOST_FRAMES = 100; // in which a training is shown
const COLOURS = [[0, 114, 178], [230, 140, 0], [0, 150, 110]]; // as colour-blind eyes can tell

const byId = (id) => document.getElementById(id);
const controls = byId("controls");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const grid = gridOf(CELLS, REACH);
let network, training;
let seed = 0;

/* ---- What is chosen. */

function chosen() {
  const value = (name) => controls.elements[name].value;
  return {
    data: value("data"),
    epochs: Number(value("epochs")),
    activation: value("activation"),
    n_hidden: Number(value("layers")),
    n_units: Number(value("units")),
    dropout: Number(value("dropout")),
    alpha: ALPHAS[value("alpha")],
  };
}

/* Set controls from an address such as ?data=circles&layers=0. */
function readAddress() {
  for (const [name, value] of new URLSearchParams(location.search))
    if (controls.elements[name])
      controls.elements[name].value = name === "alpha" ? ALPHAS.indexOf(Number(value)) : value;
}

function showChosen(choice) {
  for (const output of controls.querySelectorAll("output")) {
    const input = byId(output.htmlFor.value);
    output.value = input.name === "alpha" ? choice.alpha : input.value;
  }
  for (const name of ["units", "activation", "dropout"]) byId(name).disabled = !choice.n_hidden;
  byId("python").textContent = inPython(choice);
}

function inPython(choice) {
  const sizes = Array(choice.n_hidden).fill(choice.n_units).join(", ");
  return `import numpy as np
from skmlp import MLPSoftmaxClassifier

MLPSoftmaxClassifier(
    hidden_layer_sizes=(${sizes}${choice.n_hidden === 1 ? "," : ""}),
    activation="${choice.activation}",
    dropout=${choice.dropout},
    alpha=${choice.alpha},
    max_iter=${choice.epochs},
    learning_rate_init=${LEARNING_RATE},
    # as plain as the network on this page: no ensemble, and all rows are learnt
    n_estimators=1,
    preprocessing=None,
    numeric_embedding=None,
    weight_decay=0.0,
    label_smoothing=0.0,
    early_stopping=False,
    n_iter_no_change=np.inf,
)`;
}

/* ---- Training. */

/* Start anew with what is chosen; a training that runs comes to its end. */
function begin() {
  const choice = chosen();
  showChosen(choice);
  const { x, codes } = PACKAGE.data[choice.data];
  const facts = { ...PACKAGE.rule, ...PACKAGE.activations[choice.activation] };
  network.start(x.slice(0, N_INPUTS * N_LEARNT), codes.slice(0, N_LEARNT), {
    ...choice, ...facts, learning_rate: LEARNING_RATE, seed,
  });
  training = { choice, x, codes, epoch: 0, losses: [], newLosses: [], seconds: 0 };
  byId("parameters").textContent = network.parameters().length;
  byId("status").textContent = "Training.";
  const own = training;
  requestAnimationFrame(() => goOn(own));
}

/* Some epochs, then a picture, then again in the next frame. */
function goOn(own) {
  if (own !== training) return; // another one has begun
  const { choice } = own;
  const some = calm.matches ? choice.epochs : Math.ceil(choice.epochs / MOST_FRAMES);
  const before = performance.now();
  // a slow device shows fewer epochs per frame rather than standing still
  for (let i = 0; i < some && own.epoch < choice.epochs; i++, own.epoch++) {
    if (!calm.matches && performance.now() - before > 30) break;
    own.losses.push(network.takeEpoch());
  }
  own.seconds += (performance.now() - before) / 1000;
  show(own);
  if (own.epoch < choice.epochs) requestAnimationFrame(() => goOn(own));
  else end(own);
}

function show(own) {
  const said = network.predict([...own.x, ...grid]);
  const n = own.codes.length;
  const nClasses = network.n_classes;
  own.learnt = judge(said, own.codes, 0, N_LEARNT, nClasses);
  own.unseen = judge(said, own.codes, N_LEARNT, n, nClasses);
  own.newLosses.push([own.epoch, own.unseen.loss]);
  drawMap(said.subarray(n * nClasses), nClasses, own);
  drawCurve(own);
  byId("accuracy").textContent = percent(own.unseen.accuracy);
  byId("learnt").textContent = percent(own.learnt.accuracy);
  byId("epoch").textContent = own.epoch;
}

function end(own) {
  const { choice } = own;
  const kind = choice.n_hidden
    ? `${choice.n_hidden} hidden layer${choice.n_hidden > 1 ? "s" : ""} of ${choice.n_units} ` +
      `${choice.activation} unit${choice.n_units > 1 ? "s" : ""}`
    : "No hidden layer";
  const words =
    `${kind}: right for ${percent(own.unseen.accuracy)} of the new points and ` +
    `${percent(own.learnt.accuracy)} of the learnt ones.`;
  byId("status").textContent = `${words} Trained in ${own.seconds.toFixed(2)} s.`;
  byId("map").setAttribute("aria-label", `Map of the ${choice.data}. ${words}`);
  byId("curve").setAttribute(
    "aria-label",
    `Loss by epoch: falls from ${own.losses[0].toFixed(2)} to ${own.losses.at(-1).toFixed(2)} ` +
    `on the learnt points; it is ${own.unseen.loss.toFixed(2)} on the new ones.`,
  );
}

/* Accuracy and log-loss of rows from `first` to `last`. */
function judge(said, codes, first, last, nClasses) {
  let right = 0, loss = 0;
  for (let row = first; row < last; row++) {
    const of = said.subarray(row * nClasses, (row + 1) * nClasses);
    right += of.indexOf(Math.max(...of)) === codes[row];
    loss -= Math.log(Math.max(of[codes[row]], 1e-7));
  }
  return { accuracy: right / (last - first), loss: loss / (last - first) };
}

/* ---- Pictures. */

/* Points of a grid over the map, row by row from the top. */
function gridOf(cells, reach) {
  const side = Array.from({ length: cells }, (_, i) => reach * ((2 * i + 1) / cells - 1));
  return side.flatMap((down) => side.flatMap((right) => [right, -down]));
}

/* The class colours, mixed by their probabilities, half of them white. */
function drawMap(said, nClasses, own) {
  const canvas = byId("map"), context = canvas.getContext("2d");
  const small = new OffscreenCanvas(CELLS, CELLS), image = new ImageData(CELLS, CELLS);
  for (let cell = 0; cell < CELLS * CELLS; cell++)
    for (let channel = 0; channel < 4; channel++) {
      let value = 0;
      for (let k = 0; k < nClasses; k++) value += said[cell * nClasses + k] * COLOURS[k][channel];
      image.data[4 * cell + channel] = channel < 3 ? 128 + value / 2 : 255;
    }
  small.getContext("2d").putImageData(image, 0, 0);
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  drawBoundary(context, canvas.width / CELLS, said, nClasses);
  drawPoints(context, canvas.width, own);
}

/* Where a class is as probable as the best other one, from cell to cell. In logarithms the
   change from one class to the next is a slope, not a cliff, and the line a smooth one. */
function drawBoundary(context, size, said, nClasses) {
  context.beginPath();
  for (let k = 0; k < (nClasses === 2 ? 1 : nClasses); k++) {
    const lead = Array.from({ length: CELLS * CELLS }, (_, cell) => {
      const p = said.subarray(cell * nClasses, (cell + 1) * nClasses);
      const of = Array.from(p, (share) => Math.log(Math.max(share, 1e-30)));
      return of[k] - Math.max(...of.filter((_, other) => other !== k));
    });
    for (let row = 0; row < CELLS - 1; row++)
      for (let column = 0; column < CELLS - 1; column++)
        crossings(lead, row, column).forEach(([right, down], i) => {
          const at = [(right + 0.5) * size, (down + 0.5) * size];
          if (i % 2) context.lineTo(...at);
          else context.moveTo(...at);
        });
  }
  context.lineWidth = 3;
  context.strokeStyle = "#222";
  context.stroke();
}

/* Where a value changes its sign on the edges of a square of four cells. */
function crossings(values, row, column) {
  const corners = [[0, 0], [0, 1], [1, 1], [1, 0]];
  const at = ([down, right]) => values[(row + down) * CELLS + column + right];
  return corners.flatMap((here, i) => {
    const there = corners[(i + 1) % 4], a = at(here), b = at(there);
    if (a > 0 === b > 0) return [];
    const part = a / (a - b);
    return [[
      column + here[1] + part * (there[1] - here[1]),
      row + here[0] + part * (there[0] - here[0]),
    ]];
  });
}

/* The learnt points: a disc, a square or a triangle, by class. */
function drawPoints(context, width, own) {
  context.lineWidth = 2;
  context.strokeStyle = "white";
  for (let row = 0; row < N_LEARNT; row++) {
    const [right, up] = own.x.slice(N_INPUTS * row, N_INPUTS * (row + 1));
    const x = (right / REACH + 1) * width / 2, y = (1 - up / REACH) * width / 2;
    context.beginPath();
    if (own.codes[row] === 0) context.arc(x, y, 8, 0, 2 * Math.PI);
    else if (own.codes[row] === 1) context.rect(x - 7, y - 7, 14, 14);
    else {
      context.moveTo(x, y - 10);
      context.lineTo(x + 9, y + 7);
      context.lineTo(x - 9, y + 7);
      context.closePath();
    }
    context.fillStyle = `rgb(${COLOURS[own.codes[row]]})`;
    context.fill();
    context.stroke();
  }
}

function drawCurve(own) {
  const canvas = byId("curve"), context = canvas.getContext("2d");
  const width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * devicePixelRatio; // which clears it
  canvas.height = height * devicePixelRatio;
  context.scale(devicePixelRatio, devicePixelRatio);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name);
  const learnt = own.losses.map((loss, i) => [i + 1, loss]);
  const most = 1.05 * Math.max(...own.losses, ...own.newLosses.map(([, loss]) => loss));
  const left = 45, bottom = height - 25, top = 8, end = width - 6;
  const place = ([epoch, loss]) => [
    left + (epoch / own.choice.epochs) * (end - left),
    bottom - (loss / most) * (bottom - top),
  ];
  const line = (points) => {
    context.beginPath();
    points.map(place).forEach((at) => context.lineTo(...at));
    context.stroke();
  };
  context.fillStyle = colour("--quiet");
  context.font = "14px system-ui, sans-serif";
  context.textAlign = "right";
  for (const share of [0, 0.5, 1]) {
    const value = share * most;
    context.fillText(value.toFixed(value < 10 ? 2 : 0), left - 7, place([0, value])[1] + 5);
  }
  context.fillText(`${own.choice.epochs} epochs`, end, height - 8);
  context.textAlign = "left";
  context.fillText("0", left, height - 8);
  context.lineWidth = 1;
  context.strokeStyle = colour("--line");
  line([[0, most], [0, 0], [own.choice.epochs, 0]]);
  context.lineWidth = 2.5;
  context.strokeStyle = colour("--accent");
  line(learnt);
  context.strokeStyle = colour("--other");
  context.setLineDash([8, 5]);
  line(own.newLosses);
  context.setLineDash([]);
}

function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}

/* ---- The page around. */

/* As a part of another page: as high as the content, and in the colours of that page. */
function fitIn(frame) {
  const root = document.documentElement, outer = frame.ownerDocument.documentElement;
  const takeTheme = () => {
    if (outer.dataset.theme) root.dataset.theme = outer.dataset.theme;
    if (training) drawCurve(training);
  };
  root.classList.add("framed");
  takeTheme();
  if (location.search) frame.scrollIntoView(); // asked for from the text
  new MutationObserver(takeTheme).observe(outer, { attributeFilter: ["data-theme"] });
  new ResizeObserver(() => {
    frame.style.height = `${document.body.offsetHeight + 4}px`;
  }).observe(document.body);
}

async function openPage() {
  if (window.frameElement) fitIn(window.frameElement);
  for (const name of Object.keys(PACKAGE.activations)) byId("activation").add(new Option(name));
  byId("activation").value = "relu";
  network = await Network.load(PACKAGE.module);
  controls.addEventListener("input", begin);
  controls.addEventListener("submit", (event) => {
    event.preventDefault();
    seed += 1;
    begin();
  });
  byId("copy").hidden = !navigator.clipboard; // which only safe addresses have
  byId("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(byId("python").textContent);
    byId("copy").textContent = "Copied";
  });
  readAddress();
  begin();
}

openPage();
