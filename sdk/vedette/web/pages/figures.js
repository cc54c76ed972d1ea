// Puts the figures of /api/stats on the page.

import { show as showEnhance } from "./enhance.js";

const $ = (id) => document.getElementById(id);
const LENGTH = 120; // samples in a line: one minute
const lines = { fps: [], age: [] };

const make = (tag, text, title) => {
  const element = document.createElement(tag);
  element.textContent = text;
  if (title) element.title = title;
  return element;
};
const digits = (value) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
const whole = (value) => value.toLocaleString("en");
const total = (counts) => Object.values(counts).reduce((sum, count) => sum + count, 0);

export function show(figures) {
  showEnhance(figures.enhance);
  const { frame, age_ms: age, board } = figures;
  $("pages").hidden = !figures.people;
  $("source").textContent = frame ? frame.source : "";
  document.title = frame ? `${frame.source} – Vedette` : "Vedette";
  $("fps").textContent = figures.frames ? digits(figures.fps) : "–";
  $("age").textContent = age.count ? digits(age.p50) : "–";
  if (figures.frames) {
    draw("fps", figures.fps);
    draw("age", age.p50);
  }
  showFound(frame);
  showDrops(figures);
  showTimes(figures);
  const counts = Object.values(figures.counts).flatMap((one) => Object.entries(one));
  list($("counts"), counts.map(([label, count]) => [label, whole(count)]), "nothing yet");
  showZones(figures.zones);
  showModels(figures.models);
  showBoard(board);
  const size = frame ? `${frame.width} × ${frame.height} px · ` : "";
  $("about").textContent = `${size}${figures.viewers} watching · Vedette ${figures.version}`;
}

function showFound(frame) {
  $("found").textContent = frame ? whole(total(frame.found)) : "–";
  const what = frame ? Object.entries(frame.found).map(([stage, count]) => `${stage} ${count}`) : [];
  $("found-what").textContent = what.join(" · ") || "\u00a0";
}

function showZones(zones) {
  const rows = Object.entries(zones).map(([name, counts]) => [
    name, Object.entries(counts).map(([what, count]) => `${what} ${whole(count)}`).join(" · "),
  ]);
  $("zones-card").hidden = !rows.length;
  list($("zone-counts"), rows, "none");
}

function showDrops(figures) {
  const dropped = total(figures.drops);
  const share = dropped / Math.max(1, dropped + figures.frames);
  $("dropped").textContent = figures.frames ? whole(dropped) : "–";
  $("dropped-part").textContent = figures.frames ? `${(share * 100).toFixed(1)} % of all` : "\u00a0";
  list($("drops"), Object.entries(figures.drops).filter(([, n]) => n).map(([cause, n]) => [cause, whole(n)]), "none");
}

function showTimes(figures) {
  const rows = [...Object.entries(figures.stages_ms), ["capture to result", figures.age_ms]];
  $("times").replaceChildren(...rows.map(([name, times]) => {
    const row = document.createElement("tr");
    const head = make("th", name);
    head.scope = "row";
    row.append(head, ...["p50", "p95", "p99"].map((p) => make("td", times.count ? digits(times[p]) : "–")));
    return row;
  }));
}

function showModels(models) {
  const key = JSON.stringify(models); // do not take a selection away while nothing changes
  if ($("models").dataset.key === key) return;
  $("models").dataset.key = key;
  $("models").replaceChildren(...models.map((model) => {
    const one = document.createElement("dl");
    const hash = document.createElement("dd");
    hash.append(Object.assign(make("code", model.sha256.slice(0, 12)), { title: model.sha256 }));
    one.append(make("dt", "Name"), make("dd", `${model.name} ${model.version}`), make("dt", "SHA-256"), hash,
      make("dt", "Engine"), make("dd", model.engine));
    return one;
  }));
  if (!models.length) $("models").replaceChildren(make("small", "none in use"));
}

function showBoard(board) {
  const rows = [];
  if (board.temperature_c !== null) rows.push(["Temperature", `${board.temperature_c.toFixed(1)} °C`]);
  if (board.throttled !== null) rows.push(["Held back now", board.throttled.join(", ") || "no"]);
  if (board.throttled_since_boot !== null) rows.push(["Since start", board.throttled_since_boot.join(", ") || "never"]);
  list($("board"), rows, "This board tells neither temperature nor throttling.");
  const alarm = (board.throttled || []).length ? `The board holds itself back: ${board.throttled.join(", ")}. `
    + "Use a stronger power supply or more cooling." : "";
  if ($("alarm").textContent !== alarm) $("alarm").textContent = alarm;
  $("alarm").hidden = !alarm;
}

function list(element, rows, none) {
  if (rows.length) {
    element.replaceChildren(...rows.flatMap(([name, value]) => [make("dt", name), make("dd", value)]));
  } else {
    element.replaceChildren(Object.assign(make("dt", none), { className: "none" }));
  }
}

function draw(name, value) {
  const line = lines[name];
  line.push(value);
  if (line.length > LENGTH) line.shift();
  const top = Math.max(...line) * 1.15 || 1;
  const step = 120 / Math.max(1, line.length - 1);
  const points = line.map((v, k) => `${(k * step).toFixed(1)},${(27 - 25 * v / top).toFixed(1)}`).join("L");
  const [area, edge] = $(`${name}-line`).children;
  area.setAttribute("d", `M0,28L${points}L120,28z`);
  edge.setAttribute("d", `M${points}`);
}
