// The page: two loops, one for the picture and one for the figures; both come back by themselves.

import { seen, showSlider } from "./enhance.js";
import { show as showFigures } from "./figures.js";
import { draw, pictures, Refused } from "./stream.js";
import { toggleEditor } from "./zones.js";

const $ = (id) => document.getElementById(id);
const canvas = $("picture");
const STALE_MS = 2000;
const FIGURES_EVERY_MS = 500;
const RETRY_MS = { first: 500, most: 8000 };
const HINT = $("note").textContent;

const state = {
  paused: false,
  boxes: true,
  editing: false, // then the picture is bare: the editor draws the zones itself
  comparing: false, // before and after, by a slider
  index: null, // of the picture that is shown
  newAt: null, // when the last new picture came (performance.now)
  held: null, // the whole picture, while paused
  trouble: { picture: null, figures: null }, // {text, retryAt}
};
let stream = null; // aborts the picture's answer

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const drawn = () => (state.boxes && !state.editing ? 1 : 0);
const streamed = () => `/stream.mjpg?boxes=${drawn()}&before=${state.comparing ? 1 : 0}`;
const watching = () => !state.paused && !document.hidden;

/** Run `task` for ever; after an error wait longer and longer, and say so. */
async function forever(name, task) {
  let delay = RETRY_MS.first;
  const well = () => { delay = RETRY_MS.first; state.trouble[name] = null; };
  for (;;) {
    try {
      await task(well);
    } catch (error) {
      if (error instanceof Refused && error.status === 401) return location.replace("/");
      const full = error instanceof Refused && error.status === 503;
      const text = full ? error.message : "Connection lost";
      state.trouble[name] = { kind: full ? "full" : "lost", text, retryAt: performance.now() + delay };
      await sleep(delay);
      delay = Math.min(delay * 2, RETRY_MS.most);
    }
  }
}

async function pictureTask(well) {
  if (!watching()) {
    await sleep(100);
    return;
  }
  const mine = stream = new AbortController();
  try {
    for await (const picture of pictures(streamed(), mine.signal)) {
      if (mine.signal.aborted) return;
      const both = [[canvas, picture.jpeg], [$("before"), picture.before]].filter(([, jpeg]) => jpeg);
      await draw(...both);
      $("compare-view").classList.toggle("waiting", !picture.before);
      well();
      state.index = picture.index;
      state.newAt = performance.now() - picture.waitedMs;
      canvas.dataset.index = picture.index;
    }
  } catch (error) {
    if (mine.signal.aborted) return;
    throw error;
  }
  if (!mine.signal.aborted) throw new Error("the stream has ended");
}

async function figuresTask(well) {
  if (document.hidden) {
    await sleep(100);
    return;
  }
  const reply = await fetch("/api/stats", { cache: "no-store", signal: AbortSignal.timeout(4000) });
  if (!reply.ok) throw new Refused(reply.status === 401 ? 401 : 500, reply.statusText);
  showFigures(await reply.json());
  well();
  await sleep(FIGURES_EVERY_MS);
}

function situation(now) {
  const trouble = state.trouble.figures || (state.paused ? null : state.trouble.picture);
  if (trouble) {
    const seconds = Math.max(1, Math.ceil((trouble.retryAt - now) / 1000));
    const name = trouble.kind === "full" ? "No place free" : "Reconnecting";
    return { kind: trouble.kind, name, text: `${trouble.text}. Trying again in ${seconds} s.` };
  }
  if (state.paused) return { kind: "paused", name: "Paused", text: "" };
  if (state.newAt === null) return { kind: "connecting", name: "Waiting", text: "Waiting for the first picture" };
  const waited = now - state.newAt;
  if (waited > STALE_MS) {
    return { kind: "stale", name: "No new picture", text: `No new picture for ${Math.floor(waited / 1000)} s` };
  }
  return { kind: "live", name: "Live", text: "" };
}

function showSituation() {
  const { kind, name, text } = situation(performance.now());
  if ($("state").textContent !== name) $("state").textContent = name; // read out when it changes, not four times a second
  $("state").dataset.state = document.body.dataset.state = kind;
  $("veil").textContent = text;
  $("veil").hidden = !text;
  $("chip").hidden = !state.paused;
}

let noteTimer = 0;
function note(text) {
  $("note").textContent = text;
  clearTimeout(noteTimer);
  noteTimer = setTimeout(() => { $("note").textContent = HINT; }, 5000);
}

async function fetchSnapshot() {
  const url = `/snapshot.jpg?boxes=${drawn()}`;
  const reply = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(10000) });
  if (!reply.ok) throw new Refused(reply.status, (await reply.json().catch(() => ({}))).error || reply.statusText);
  return { jpeg: await reply.blob(), index: Number(reply.headers.get("x-frame-index")) };
}

async function togglePause() {
  state.paused = !state.paused;
  $("pause").classList.toggle("paused", state.paused);
  $("pause").querySelector("span").textContent = state.paused ? "Resume" : "Pause";
  disable();
  if (stream) stream.abort();
  state.held = null;
  if (!state.paused) {
    state.newAt = performance.now(); // what was missed while paused is not late
  } else if (!state.comparing) { // else the frozen pair stays: the slider still moves
    await holdWhole();
  }
  showSituation();
}

/** What would need another picture cannot be had while this one is frozen, or edited on. */
function disable() {
  $("boxes").disabled = state.paused || state.editing;
  $("compare").disabled = state.paused || state.editing;
}

/** Replace the frozen picture by the whole one, so that what is seen is what a snapshot saves. */
async function holdWhole() {
  try {
    const whole = await fetchSnapshot();
    if (!state.paused) return;
    await draw([canvas, whole.jpeg]);
    state.held = whole;
    canvas.dataset.index = whole.index;
  } catch { /* what is shown stays */ }
}

async function saveSnapshot() {
  try {
    const compared = state.comparing && { jpeg: await seen(), index: state.index };
    const { jpeg, index } = compared || state.held || await fetchSnapshot();
    const local = new Date(Date.now() - new Date().getTimezoneOffset() * 60000).toISOString();
    const stamp = local.slice(0, 19).replace(/[-:]/g, "").replace("T", "-");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(jpeg);
    link.download = `vedette-${stamp}-${index}.jpg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    note(`Saved ${link.download}`);
  } catch (error) {
    note(`No snapshot: ${error.message}`);
  }
}

function toggleBoxes() {
  state.boxes = !state.boxes;
  $("boxes").setAttribute("aria-pressed", String(state.boxes));
  if (stream) stream.abort();
}

function toggleCompare() {
  state.comparing = !state.comparing;
  $("compare-view").classList.add("waiting"); // until a pair has come
  showSlider(state.comparing);
  if (stream) stream.abort();
}

function toggleFull() {
  if (document.fullscreenElement) document.exitFullscreen();
  else $("stage").requestFullscreen().catch(() => note("This browser has no full screen"));
}

async function toggleZones() {
  if (document.fullscreenElement) await document.exitFullscreen(); // the editor's fields are outside of it
  await toggleEditor({ note, editing });
}

function editing(on) {
  if (on && state.comparing) toggleCompare();
  state.editing = on;
  $("zones").setAttribute("aria-pressed", String(on));
  disable();
  $("full").disabled = on;
  if (state.paused) holdWhole();
  else if (stream) stream.abort();
}

const actions = {
  pause: togglePause, snapshot: saveSnapshot, boxes: toggleBoxes, compare: toggleCompare, zones: toggleZones, full: toggleFull,
};
const keys = { " ": "pause", s: "snapshot", b: "boxes", c: "compare", z: "zones", f: "full" };
for (const [id, action] of Object.entries(actions)) $(id).addEventListener("click", action);
$("full").hidden = !document.fullscreenEnabled;
addEventListener("keydown", (event) => {
  const id = keys[event.key.toLowerCase()];
  const busy = event.ctrlKey || event.metaKey || event.altKey || event.repeat;
  if (!id || busy || event.target.closest("button, input:not([type=range]), a, svg")) return;
  event.preventDefault();
  if (!$(id).disabled && !$(id).hidden) actions[id]();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden && stream) stream.abort();
  if (!document.hidden) state.newAt = state.newAt && performance.now();
});
showSituation();
setInterval(showSituation, 250);
forever("picture", pictureTask);
forever("figures", figuresTask);
