// The editor of zones and lines: drawn on the picture, changed by mouse, finger or keyboard, saved by the server.
// Points are x, y in parts of the picture, as in the file.

const $ = (id) => document.getElementById(id);
const svg = $("shapes");
const canvas = $("picture");
const NEAR_PX = 18; // of the screen: a tap so close to the first corner closes the shape
const MOST_CORNERS = 100;
const LEAST = { zone: 3, line: 2 };

let file = null; // what the server told; null while nothing is edited
let shapes = []; // {kind, name, points, more: the file's other keys}
let chosen = -1;
let corner = -1; // of the chosen shape
let drawing = false; // the chosen shape is not finished
let drag = null;
let changed = false;
let leave = () => {};

/** Open the editor, or leave it. `editing(on)` is told of both; `note(text)` of why it cannot be opened. */
export async function toggleEditor({ note, editing }) {
  if (file) {
    if (!changed || confirm("Discard what was changed?")) leave();
    return;
  }
  let told;
  try {
    told = await ask();
    if (told.locked) throw new Error(told.locked);
  } catch (error) {
    note(error.message);
    return;
  }
  leave = () => {
    file = null;
    svg.setAttribute("hidden", "");
    $("editor").hidden = true;
    editing(false);
  };
  start(told);
  editing(true);
  $("editor").scrollIntoView({ block: "nearest" });
  $("save").onclick = () => save(note);
}

async function ask(options) {
  const reply = await fetch("/api/zones", { cache: "no-store", signal: AbortSignal.timeout(10000), ...options });
  const told = await reply.json();
  if (!reply.ok) throw new Error(told.error);
  return told;
}

function start(told) {
  file = told;
  shapes = Object.entries(told.zones).flatMap(([kind, named]) => Object.entries(named).map(
    ([name, { points, ...more }]) => ({ kind, name, points, more })));
  chosen = corner = -1;
  drawing = changed = false;
  drag = null;
  $("refused").textContent = "";
  $("loses").textContent = told.loses || "";
  $("known-labels").replaceChildren(...told.labels.map((label) => new Option(label)));
  svg.removeAttribute("hidden");
  $("editor").hidden = false;
  render();
}

async function save(note) {
  const zones = { zone: {}, line: {} };
  const names = shapes.map((shape) => shape.name);
  const twin = names.find((name, k) => names.indexOf(name) !== k);
  $("refused").textContent = twin === undefined ? "" : `Two are called “${twin}”; give each a name of its own.`;
  if (twin !== undefined) return;
  for (const { kind, name, points, more } of shapes) zones[kind][name] = { points, ...more };
  $("save").disabled = true;
  try {
    const told = await ask({ method: "PUT", body: JSON.stringify({ version: file.version, zones }) });
    note(`Saved to ${told.file}`);
    leave();
  } catch (error) {
    $("refused").textContent = `Not saved: ${error.message}`;
  }
  $("save").disabled = drawing;
}

// ---- what is shown

const px = (point) => [point[0] * canvas.width, point[1] * canvas.height];
const unit = () => canvas.width / Math.max(1, shown().width); // of the picture, for one pixel of the screen

function shown() { // the part of the element that the picture fills
  const box = svg.getBoundingClientRect();
  const scale = Math.min(box.width / canvas.width, box.height / canvas.height);
  return { width: canvas.width * scale, height: canvas.height * scale };
}

function make(tag, attributes, parent) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}

function render() {
  svg.setAttribute("viewBox", `0 0 ${canvas.width} ${canvas.height}`);
  svg.classList.toggle("drawing", drawing);
  svg.replaceChildren();
  shapes.forEach((_, k) => { if (k !== chosen) draw(k); });
  if (shapes[chosen]) draw(chosen); // on top
  if (!document.activeElement.closest("input")) svg.querySelector(`[data-corner="${corner}"]`)?.focus({ preventScroll: true });
  showFields();
}

function draw(k) {
  const { kind, name, points } = shapes[k];
  if (!points.length) return; // its first corner is still to come
  const mine = k === chosen;
  const group = make("g", { class: `${kind}${mine ? " chosen" : ""}${drawing ? " drawing" : ""}` }, svg);
  const corners = points.map(px);
  const closed = kind === "zone" && !(mine && drawing);
  const outline = `M${corners.join("L")}${closed ? "z" : ""}${kind === "line" ? arrow(corners) : ""}`;
  make("path", { class: "body", d: `M${corners.join("L")}${closed ? "z" : ""}`, "data-shape": k }, group);
  make("path", { class: "rim", d: outline }, group);
  make("path", { class: "edge", d: outline }, group);
  const size = 14 * unit();
  const toLeft = corners[0][0] > 0.75 * canvas.width;
  make("text", {
    x: corners[0][0] + (toLeft ? -1 : 1) * size / 2, y: Math.max(size * 1.2, corners[0][1] - size / 2),
    "font-size": size, "stroke-width": size / 4, "text-anchor": toLeft ? "end" : "start",
  }, group).textContent = name;
  if (mine) drawHandles(group, k, corners, closed);
}

function drawHandles(group, k, corners, closed) {
  if (closed && corners.length < MOST_CORNERS) {
    corners.forEach((at, i) => {
      const next = corners[(i + 1) % corners.length];
      const middle = `M${(at[0] + next[0]) / 2},${(at[1] + next[1]) / 2}h0`;
      make("path", { class: "plus", d: middle }, group);
      make("path", { class: "grip", d: middle, "data-shape": k, "data-edge": i }, group);
    });
  }
  corners.forEach((at, i) => {
    const dot = `M${at}h0`;
    make("path", { class: `dot${i === corner ? " on" : ""}`, d: dot }, group);
    make("path", { class: "dot", d: dot }, group);
    const name = `Corner ${i + 1} of ${shapes[k].name}; arrow keys move it`;
    make("path", {
      class: "grip", d: dot, "data-shape": k, "data-corner": i, tabindex: 0, role: "button", "aria-label": name,
    }, group);
  });
}

/** Return the arrow to where "in" is: to the right of who looks from the first end to the second. */
function arrow([a, b]) {
  if (!b) return "";
  const way = [b[0] - a[0], b[1] - a[1]];
  const length = Math.hypot(...way) || 1;
  const [x, y] = [-way[1] / length, way[0] / length].map((v) => v * 30 * unit());
  const middle = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const tip = [middle[0] + x, middle[1] + y];
  const barb = (side) => [tip[0] - 0.35 * x + side * 0.25 * y, tip[1] - 0.35 * y - side * 0.25 * x];
  return `M${middle}L${tip}M${barb(1)}L${tip}L${barb(-1)}`;
}

function showFields() {
  const shape = shapes[chosen];
  showNames();
  $("shape").hidden = !shape || drawing;
  $("finish").hidden = !drawing || shape.kind === "line";
  $("finish").disabled = !drawing || shape.points.length < LEAST.zone;
  for (const id of ["add-zone", "add-line", "save"]) $(id).disabled = drawing;
  if (shape) {
    for (const [id, text] of [["shape-name", shape.name], ["shape-labels", (shape.more.labels || []).join(", ")]]) {
      if (document.activeElement !== $(id)) $(id).value = text;
    }
    $("turn").hidden = shape.kind !== "line";
    $("remove-corner").hidden = shape.kind === "line";
    $("remove-corner").disabled = corner < 0 || shape.points.length <= LEAST.zone;
  }
  $("hint").textContent = hint(shape);
}

function showNames() {
  while ($("names").children.length > shapes.length) $("names").lastChild.remove();
  shapes.forEach(({ name }, k) => {
    const button = $("names").children[k] || $("names").appendChild(document.createElement("button"));
    button.textContent = name || "(no name)";
    button.setAttribute("aria-pressed", String(k === chosen));
    button.disabled = drawing;
    button.onclick = () => choose(k);
  });
}

function hint(shape) {
  if (drawing && shape.kind === "line") return "Tap the two ends of the line. “In” is where the arrow will point.";
  if (drawing) return "Tap the corners one after another; tap the first one again to finish. Esc gives up.";
  if (!shapes.length) return "Nothing is here yet: add a zone or a line.";
  if (!shape) return "Tap a shape or its name to change it.";
  return shape.kind === "line" ? "Drag its ends, or all of it." : "Drag its corners, or all of it. Drag a small dot to add a corner.";
}

// ---- what is done

function choose(k) {
  chosen = k;
  corner = -1;
  render();
}

function begin(kind) {
  let number = 1;
  while (shapes.some((shape) => shape.name === `${kind} ${number}`)) number += 1;
  shapes.push({ kind, name: `${kind} ${number}`, points: [], more: {} });
  drawing = true;
  choose(shapes.length - 1);
}

function finish() {
  drawing = false;
  changed = true;
  render();
}

function remove() {
  changed = changed || !drawing;
  drawing = false;
  shapes.splice(chosen, 1);
  choose(-1);
}

function removeCorner() {
  const { kind, points } = shapes[chosen];
  if (corner < 0 || points.length <= LEAST[kind]) return;
  points.splice(corner, 1);
  changed = true;
  choose(chosen);
}

const within = (value) => Math.min(1, Math.max(0, Math.round(value * 1e4) / 1e4));

function spotOf(event) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  return [within(at.x / canvas.width), within(at.y / canvas.height)];
}

function isNear(a, b) {
  const [[x1, y1], [x2, y2]] = [px(a), px(b)];
  return Math.hypot(x1 - x2, y1 - y2) < NEAR_PX * unit();
}

function addCorner(spot) {
  const { kind, points } = shapes[chosen];
  const repeated = points.length && isNear(spot, points[points.length - 1]);
  const closing = kind === "zone" && points.length >= LEAST.zone && (repeated || isNear(spot, points[0]));
  if (closing) return finish();
  if (!repeated) points.push(spot);
  if (kind === "line" ? points.length === 2 : points.length === MOST_CORNERS) return finish();
  return render();
}

svg.addEventListener("mousedown", (event) => event.preventDefault()); // the focus is set by hand: what is hit is drawn anew
svg.addEventListener("pointerdown", (event) => {
  if (event.button || drag) return;
  document.activeElement.blur();
  const spot = spotOf(event);
  if (drawing) {
    addCorner(spot);
    return;
  }
  const { shape, corner: held, edge } = event.target.dataset;
  chosen = shape === undefined ? -1 : Number(shape);
  corner = held === undefined ? -1 : Number(held);
  if (edge !== undefined) {
    corner = Number(edge) + 1;
    shapes[chosen].points.splice(corner, 0, spot);
    changed = true;
  }
  drag = chosen < 0 ? null : { spot, points: shapes[chosen].points.map((point) => [...point]) };
  svg.setPointerCapture(event.pointerId);
  render();
});

svg.addEventListener("pointermove", (event) => {
  if (!drag || !shapes[chosen]) return;
  const spot = spotOf(event);
  move([spot[0] - drag.spot[0], spot[1] - drag.spot[1]], drag.points);
});

for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, () => { drag = null; });

/** Move the corner that is held, or all of the shape, by `way` from where `points` were; never out of the picture. */
function move(way, points) {
  if (!way[0] && !way[1]) return;
  const moved = corner < 0 ? points : [points[corner]];
  const [x, y] = [0, 1].map((axis) => {
    const values = moved.map((point) => point[axis]);
    return Math.min(1 - Math.max(...values), Math.max(-Math.min(...values), way[axis]));
  });
  shapes[chosen].points = points.map((point, k) => (
    corner < 0 || corner === k ? [within(point[0] + x), within(point[1] + y)] : point));
  changed = true;
  render();
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
addEventListener("keydown", (event) => {
  if (!file) return;
  if (event.key === "Escape" && drawing) remove();
  if (drawing || event.target.closest("input")) return;
  const at = event.target.dataset?.corner;
  if (at === undefined) return;
  corner = Number(at);
  if (event.key === "Delete" || event.key === "Backspace") removeCorner();
  else if (STEPS[event.key]) move(STEPS[event.key].map((step) => step * (event.shiftKey ? 0.05 : 0.005)), shapes[chosen].points);
  else return;
  event.preventDefault();
});

$("add-zone").onclick = () => begin("zone");
$("add-line").onclick = () => begin("line");
$("finish").onclick = finish;
$("discard").onclick = () => { if (!changed || confirm("Discard what was changed?")) leave(); };
$("remove").onclick = remove;
$("remove-corner").onclick = removeCorner;
$("turn").onclick = () => { shapes[chosen].points.reverse(); changed = true; render(); };
$("shape").onsubmit = (event) => event.preventDefault();
$("shape-name").oninput = () => { shapes[chosen].name = $("shape-name").value.trim(); changed = true; render(); };
$("shape-labels").oninput = () => {
  const labels = $("shape-labels").value.split(",").map((label) => label.trim()).filter(Boolean);
  if (labels.length) shapes[chosen].more.labels = labels;
  else delete shapes[chosen].more.labels;
  changed = true;
  render();
};
const redraw = () => { if (file) render(); };
new ResizeObserver(redraw).observe(canvas);
canvas.addEventListener("resize", redraw); // its picture has another size
