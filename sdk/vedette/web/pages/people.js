// The page of people: who is seen, enrolled and erased, and what the threshold means.
// The picture and what is told of it come separately; each comes back by itself.

import { draw, pictures, Refused } from "./stream.js";

const $ = (id) => document.getElementById(id);
const SEEN_EVERY_MS = 300;
const PEOPLE_EVERY_MS = 10000;
const RETRY_MS = 1500;
const MOST_SEEN = 6;
const SURE_FROM = 0.8; // as on the picture
const IDENTITY = { unknown: "Unknown", undecided: "Looking …" };

let shown = ""; // the list as it was told last, so that it is not drawn anew in vain
let places = 1; // pages of the list that are shown

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const percent = (part) => `${Math.round(part * 100)} %`;
const plural = (count, one, many) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
const time = (iso) => new Date(iso).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

function make(tag, text = "", given = {}) {
  const element = Object.assign(document.createElement(tag), given);
  element.textContent = text;
  return element;
}

function say(id, text) { // read out when it changes, not at every look
  if ($(id).textContent !== text) $(id).textContent = text;
}

async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const reply = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(30000), ...options });
  if (reply.status === 401) location.reload();
  const told = await reply.json();
  if (!reply.ok) throw new Refused(reply.status, told.error);
  return told;
}

/** Do `task`, with `button` held down meanwhile; what is refused is said in the element `where`. */
async function act(button, where, task) {
  $(where).textContent = "";
  button.disabled = true;
  try {
    await task();
  } catch (error) {
    $("done").textContent = "";
    $(where).textContent = sentence(error.message);
  }
  button.disabled = false;
  await showPeople().catch(() => {});
}

// ---- the picture, and who is in it

async function showPicture() {
  const stream = new AbortController();
  const leave = () => { if (document.hidden) stream.abort(); };
  document.addEventListener("visibilitychange", leave);
  try {
    for await (const picture of pictures("/stream.mjpg", stream.signal)) {
      await draw([$("picture"), picture.jpeg]);
      $("picture").dataset.index = picture.index;
    }
  } finally {
    document.removeEventListener("visibilitychange", leave);
  }
}

async function showSeen() {
  const { faces, quality, refusals } = await ask("/api/people/seen");
  const old = refusals.some(({ reason }) => reason === "no_picture");
  const ready = !refusals.length;
  state(old ? "stale" : "live", old ? "No new picture" : "Live");
  say("veil", old ? refusals[0].message : "");
  $("veil").hidden = !old;
  $("meter").classList.toggle("ready", ready);
  $("meter").setAttribute("aria-valuenow", Math.round((quality || 0) * 100));
  $("bar").style.width = `${(quality || 0) * 100}%`;
  $("quality").textContent = quality === null ? "–" : percent(quality);
  const advice = ready ? ["Good enough to enrol. Hold still."] : refusals.map(({ message }) => sentence(message));
  if ($("advice").dataset.told !== advice.join()) {
    $("advice").dataset.told = advice.join();
    $("advice").replaceChildren(...advice.map((text) => make("li", text, { className: ready ? "ready" : "" })));
  }
  const others = faces.length - MOST_SEEN;
  const rest = others > 0 ? `and ${others} more` : faces.length ? "" : "Nobody";
  $("seen").replaceChildren(...faces.slice(0, MOST_SEEN).map(face), ...(rest ? [make("li", rest, { className: "none" })] : []));
}

const sentence = (message) => `${message[0].toUpperCase()}${message.slice(1)}${message.endsWith(".") ? "" : "."}`;

function face({ identity, name, certainty, similarity }) {
  const row = make("li");
  row.dataset.identity = identity === "known" && certainty < SURE_FROM ? "likely" : identity;
  const sure = identity === "undecided" ? "" : `${percent(certainty)} certain`;
  const meter = make("div", "", { className: "meter", ariaHidden: "true" });
  meter.append(make("i"));
  meter.firstChild.style.width = `${certainty * 100}%`;
  const title = similarity === null ? "" : `cosine ${similarity.toFixed(2)} at the last look`;
  row.append(make("b", name || IDENTITY[identity], { title }), make("small", sure), meter);
  return row;
}

function state(kind, name) {
  say("state", name);
  $("state").dataset.state = document.body.dataset.state = kind;
}

// ---- who is enrolled

async function showPeople() {
  const parts = [];
  for (let k = 0; k < places; k += 1) {
    const told = await ask(`/api/people?offset=${parts.reduce((sum, one) => sum + one.people.length, 0)}`);
    parts.push(told);
    if (!told.people.length) break;
  }
  const told = { ...parts[0], people: parts.flatMap((one) => one.people) };
  if (JSON.stringify(told) === shown) return;
  shown = JSON.stringify(told);
  showThreshold(told);
  $("count").textContent = `${plural(told.total, "person", "people")}, ${plural(told.templates, "template", "templates")}`;
  $("known").replaceChildren(...told.people.map(({ name }) => new Option(name)));
  $("keep").closest("label").title = told.private ? "Faces are blurred in this run: it is kept, but not shown." : "";
  const flags = told.flags || [];
  const texts = told.flags ? flags.map(({ text }) => sentence(text)) : ["Too many templates to be compared with each other here."];
  $("flags").replaceChildren(...texts.map((text) => make("li", text)));
  const open = new Set([...document.querySelectorAll("#people details[open]")].map((one) => one.dataset.id));
  $("people").replaceChildren(...told.people.map((one) => person(one, flags, open)));
  if (!told.total) $("people").append(make("li", "Nobody is enrolled yet.", { className: "none" }));
  $("further").hidden = told.people.length >= told.total;
}

function person({ id, name, templates }, flags, open) {
  const row = make("li");
  const details = make("details", "", { open: open.has(String(id)) });
  details.dataset.id = id;
  const summary = make("summary");
  const last = templates.length ? ` · ${time(templates[templates.length - 1].enrolled)}` : "";
  summary.append(make("b", name), make("small", `${plural(templates.length, "template", "templates")}${last}`));
  if (flags.some(({ names }) => names.includes(name))) summary.append(make("span", "look again", { className: "odd" }));
  const list = make("ul", "", { className: "templates" });
  const odd = new Set(flags.filter(({ kind }) => kind === "disagree").map((flag) => flag.templates[0]));
  list.append(...templates.map((one) => template(one, name, templates.length, odd)));
  details.append(summary, list);
  const erase = make("button", "Erase", { className: "erase", ariaLabel: `Erase ${name}` });
  erase.onclick = () => {
    const what = `Erase ${name}? ${plural(templates.length, "template goes", "templates go")} for good; archives that you exported stay.`;
    if (confirm(what)) act(erase, "not-erased", () => ask("/api/people/erase", { person: id }));
  };
  row.append(details, erase);
  return row;
}

function template({ id, quality, enrolled, source, picture }, name, count, odd) {
  const row = make("li");
  if (picture) row.append(make("img", "", { src: `/api/people/picture?template=${id}`, alt: `Picture kept of ${name}`, loading: "lazy" }));
  row.append(make("span", `Quality ${percent(quality)} · ${time(enrolled)} · ${source}`));
  if (odd.has(id)) row.lastChild.append(make("b", " · unlike the others"));
  if (count > 1) {
    const remove = make("button", "Remove", { className: "erase", ariaLabel: `Remove this template of ${name}` });
    remove.onclick = () => {
      if (confirm(`Remove this template of ${name} for good?`)) act(remove, "not-erased", () => ask("/api/people/erase", { template: id }));
    };
    row.append(remove);
  }
  return row;
}

function showThreshold({ threshold, can_calibrate: can }) {
  $("threshold").textContent = threshold.value.toFixed(2);
  $("meaning").replaceChildren(...threshold.meaning.map((text) => make("li", text)));
  $("warnings").replaceChildren(...threshold.warnings.map((text) => make("li", text)));
  const first = $("far").options[0];
  first.hidden = first.disabled = !threshold.calibrated;
  if (first.disabled && first.selected) $("far").value = "0.01";
  $("calibrate").hidden = !can;
  if (!can) $("meaning").append(make("li", "This model carries no scores of strangers, so no rate can be promised for it here."));
}

// ---- what is done

async function enrol() {
  const name = $("name").value.trim();
  const done = await ask("/api/people/enrol", { name, agreed: $("agreed").checked, keep_picture: $("keep").checked });
  const what = done.created ? `${name} is enrolled` : `${name} has one template more`;
  $("done").textContent = `${what}, with a quality of ${percent(done.quality)}. A few pictures from other sides, and in other light, make it surer.`;
  $("refused").textContent = done.flags.map(sentence).join(" ");
}

$("enrol").addEventListener("submit", (event) => {
  event.preventDefault();
  $("done").textContent = "Look at the camera, and hold still …";
  act($("take"), "refused", enrol);
});
$("name").addEventListener("input", () => { $("agreed").checked = false; }); // it was somebody else who agreed
$("calibrate").addEventListener("submit", (event) => {
  event.preventDefault();
  const far = $("far").value;
  act(event.submitter, "not-calibrated", () => ask("/api/people/calibrate", far ? { far: Number(far) } : {}));
});
$("further").addEventListener("click", () => { places += 1; showPeople().catch(() => {}); });

/** Run `task` for ever, `everyMs` after each other and only while somebody looks; say when it does not answer. */
async function forever(task, everyMs, told) {
  for (;;) {
    try {
      if (!document.hidden) await task();
      await sleep(everyMs);
    } catch (error) {
      told(error);
      await sleep(RETRY_MS);
    }
  }
}

function lost(error) {
  if (error instanceof Refused && error.status === 404) {
    $("enrol").hidden = $("calibrate").hidden = true;
    $("alarm").textContent = sentence(error.message);
    $("alarm").hidden = false;
    state("stale", "No names");
    return;
  }
  state("lost", "Reconnecting");
  say("veil", error instanceof Refused ? error.message : "Connection lost");
  $("veil").hidden = false;
}

forever(showPicture, 100, (error) => { if (error instanceof Refused && error.status === 401) location.reload(); });
forever(showSeen, SEEN_EVERY_MS, lost);
forever(showPeople, PEOPLE_EVERY_MS, () => {});
