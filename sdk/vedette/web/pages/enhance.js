// What enhances the picture: the slider between before and after, and the switches with what happens now in words.

const $ = (id) => document.getElementById(id);
const view = $("compare-view");
const PARTS = { 0.5: "half", 0.25: "a quarter" };
let busy = false; // a switch is on its way: what was asked before tells the old state

// ---- the slider

const move = () => {
  view.style.setProperty("--at", `${$("split").value}%`);
  $("split").setAttribute("aria-valuetext", `${$("split").value} % before`);
};

/** Lay the slider over the part of the canvas that the picture fills. */
function fit() {
  const picture = $("picture");
  const box = picture.getBoundingClientRect();
  const scale = Math.min(box.width / picture.width, box.height / picture.height);
  view.style.width = `${picture.width * scale}px`;
  view.style.height = `${picture.height * scale}px`;
}

export function showSlider(on) {
  view.hidden = !on;
  $("compare").setAttribute("aria-pressed", String(on));
  if (!on) return;
  fit();
  $("split").focus({ preventScroll: true });
}

/** Resolve to the picture as it is seen, a JPEG: before on the left of the slider, after on the right. */
export function seen() {
  const [before, after] = [$("before"), $("picture")];
  const whole = Object.assign(document.createElement("canvas"), { width: after.width, height: after.height });
  const at = Number($("split").value) / 100;
  const context = whole.getContext("2d");
  context.drawImage(after, 0, 0);
  if (at && !view.classList.contains("waiting")) {
    context.drawImage(before, 0, 0, before.width * at, before.height, 0, 0, after.width * at, after.height);
  }
  return new Promise((resolve) => { whole.toBlob(resolve, "image/jpeg", 0.95); });
}

new ResizeObserver(fit).observe($("picture"));
$("picture").addEventListener("resize", fit); // it shows a picture of another size
$("split").addEventListener("input", move);
move();

// ---- the switches

const make = (tag, given, ...children) => {
  const element = Object.assign(document.createElement(tag), given);
  element.append(...children);
  return element;
};
const say = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const listed = (names) => (names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names.join());

/** Show what /api/stats tells of the stages. */
export function show(stages) {
  $("enhance").hidden = $("compare").hidden = !stages.length;
  if (busy) return;
  const key = JSON.stringify(stages.map((one) => [one.stage, one.models.map((model) => [model.name, model.skippable])]));
  if ($("enhance").dataset.key !== key) {
    $("enhance").dataset.key = key;
    $("enhance").replaceChildren(...stages.map(row));
  }
  stages.forEach((one, k) => {
    const [switches, state, cost] = $("enhance").children[k].children;
    for (const box of switches.querySelectorAll("input")) {
      const model = one.models.find(({ name }) => name === box.dataset.model);
      box.checked = model ? model.enabled : one.enabled;
      box.disabled = Boolean(model) && !one.enabled;
    }
    say(state, words(one));
    say(cost, figures(one));
  });
}

function row(one) {
  const models = one.models.filter((model) => model.skippable);
  return make("div", {},
    make("div", { className: "switches" }, toggle(one.stage), ...(one.models.length > 1 ? models : []).map(
      (model) => toggle(one.stage, model.name))),
    Object.assign(make("p", { className: "now" }), { role: "status" }),
    make("p", { className: "cost" }),
    Object.assign(make("p", { className: "answer" }), { role: "alert" }));
}

function toggle(stage, model) {
  const box = make("input", { type: "checkbox" });
  box.setAttribute("role", "switch");
  if (model) box.dataset.model = model;
  box.addEventListener("change", () => change(box, { stage, ...(model && { model }), enabled: box.checked }));
  return make("label", {}, box, model || stage);
}

async function change(box, wanted) {
  const answer = box.closest("#enhance > div").querySelector(".answer");
  busy = true;
  say(answer, "");
  let refused = "";
  try {
    const reply = await fetch("/api/enhance", {
      method: "POST", body: JSON.stringify(wanted), cache: "no-store", signal: AbortSignal.timeout(10000),
    });
    const told = await reply.json();
    busy = false;
    if (reply.ok) show(told.enhance);
    else refused = told.error;
  } catch (error) {
    refused = error.message;
  }
  busy = false;
  if (!refused) return;
  box.checked = !wanted.enabled;
  say(answer, `Not switched: ${refused}`);
}

function words(one) {
  const ran = listed(one.ran || []);
  const part = PARTS[one.resolution] || one.resolution;
  if (!one.enabled) return "Switched off: the picture passes as it came.";
  if (one.state === null) return "Waiting for the first picture.";
  if (one.state === "full") return `At work: ${ran}, at full resolution.`;
  if (one.state === "reduced") return `At work: ${ran}, at ${part} of the width and height, to keep the budget.`;
  if (one.state === "aside") return "Stepped aside: it would not keep the budget. It tries again by itself.";
  if (!one.models.some((model) => model.enabled)) return "All its models are switched off.";
  return one.auto ? "Not needed: light and noise of the scene ask for nothing." : "Not at work.";
}

function figures(one) {
  if (one.state === null) return "";
  const scene = one.luminance === null ? [] : [`luminance ${one.luminance.toFixed(0)} of 255`, `noise ${one.noise.toFixed(1)}`];
  const budget = one.budget_ms === null ? "no budget" : `budget ${one.budget_ms} ms`;
  return [`${one.ms.toFixed(1)} ms`, budget, ...scene].join(" · ");
}
