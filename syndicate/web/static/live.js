// Figures that move: heard by server-sent events, asked for where those do not come through. Only texts and bars change
// in place; when the page itself would look different it is fetched and morphed, which leaves what stays alone.
const SILENT_MS = 5000; // the server says everything again after three seconds
const ASK_MS = 1500;
const LISTEN_AGAIN_MS = 30000;
const SAY_MS = 10000; // who listens to the page is not told of every figure
const GUARD_MS = 600; // a click meant for what was there before is not one on a button that has just come

let stream = null;
let listenedAt = 0;
let heardAt = 0;
let askedAt = 0;
let freshAt = 0;
let saidAt = 0;
let asking = false;
let fetching = false;
let typed = false;
let guardedUntil = 0;
let before = new Map();

const place = () => document.querySelector("[data-live]");
const meaning = (button) => `${button.form?.getAttribute("action")} ${button.textContent}`;

function listen() {
  hush();
  const here = place();
  if (!here || document.hidden) return;
  listenedAt = performance.now();
  stream = new EventSource(here.dataset.live);
  stream.onmessage = (event) => take(JSON.parse(event.data));
  stream.onerror = () => { heardAt = -SILENT_MS; };
}

function hush() {
  if (stream) stream.close();
  stream = null;
}

async function ask() {
  asking = true;
  askedAt = performance.now();
  try {
    const answer = await fetch(place().dataset.figures, { headers: { Accept: "application/json" } });
    if (answer.status === 401) location.reload();
    else if (answer.ok) take(await answer.json(), false);
  } catch {
    // No connection: the next look tries again.
  } finally {
    asking = false;
  }
}

function take(look, wasHeard = true) {
  const now = performance.now();
  const here = place();
  if (!here) return;
  freshAt = now;
  if (wasHeard) heardAt = now;
  for (const each of document.querySelectorAll("[data-text]")) {
    const text = look.texts[each.dataset.text];
    if (text !== undefined && each.textContent !== text) each.textContent = text;
  }
  for (const each of document.querySelectorAll("[data-bar]")) {
    const bar = look.bars[each.dataset.bar];
    if (!bar) continue;
    const progress = each.querySelector("progress");
    progress.max = bar[1] || 1;
    progress.value = bar[0];
    const shown = `${bar[0].toLocaleString("en")} of ${bar[1].toLocaleString("en")}`;
    const figures = each.querySelector(".figures");
    if (figures.textContent !== shown) figures.textContent = shown;
  }
  const changed = look.token !== here.dataset.token;
  const said = look.said || (changed ? "This page has changed." : "");
  if (said && (changed || now - saidAt > SAY_MS)) {
    saidAt = now;
    const line = document.getElementById("live-said");
    if (line.textContent !== said) line.textContent = said;
  }
  if (changed) renew();
  if (look.ended) hush();
}

const isAtWork = () => typed || document.querySelector("#main details.confirm[open], #main form[data-sent]") !== null;

// Who began while the page was being fetched is not interrupted either: the next look tries again.
document.addEventListener("htmx:before:swap", (event) => {
  if (fetching && isAtWork()) event.preventDefault();
});

// The page as it is now, unless somebody is at work in it: then it only says that there is another.
async function renew() {
  const main = document.getElementById("main");
  if (fetching || main.querySelector("details.confirm[open], form[data-sent]")) return;
  if (typed) {
    document.getElementById("live-stale").hidden = false;
    return;
  }
  fetching = true;
  before = new Map([...main.querySelectorAll("button")].map((each) => [each, meaning(each)]));
  const focused = document.activeElement;
  const done = document.getElementById("done")?.cloneNode(true);
  try {
    await htmx.ajax("GET", location.pathname + location.search, {
      target: "#main", select: "#main > *", swap: "innerMorph", selectOOB: "#banners", push: "false",
    });
    // What was just done is told once, by the page that followed it: it stays to be read.
    if (done && !document.getElementById("done")) main.prepend(done);
    guardedUntil = performance.now() + GUARD_MS;
    if (focused && focused !== document.body && !focused.isConnected) document.getElementById("main").focus();
  } finally {
    fetching = false;
  }
}

function watch() {
  if (!place()) hush();
  if (!place() || document.hidden) return;
  const now = performance.now();
  const silent = now - heardAt > SILENT_MS;
  if (silent && !asking && now - askedAt > ASK_MS) ask();
  if (silent && now - listenedAt > LISTEN_AGAIN_MS) listen();
  document.getElementById("live-silent").hidden = now - freshAt < 3 * SILENT_MS;
}

document.addEventListener("input", () => { typed = true; });
document.addEventListener("visibilitychange", () => {
  freshAt = performance.now();
  if (document.hidden) hush();
  else listen();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("#main button");
  if (!button || performance.now() >= guardedUntil || before.get(button) === meaning(button)) return;
  event.preventDefault();
  event.stopPropagation();
}, true);
window.addEventListener("pagehide", hush);
window.addEventListener("pageshow", () => {
  heardAt = freshAt = performance.now();
  listen();
});
setInterval(watch, 250);
