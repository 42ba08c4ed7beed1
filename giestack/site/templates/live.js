// Keeps the marked sections as the server has them, while somebody looks at the page.
const regions = () => [...document.querySelectorAll("[data-live]")];
const over = document.getElementById("over");
const told = document.getElementById("told");
const ENDS = {401: "You are logged out. Load this page again to log in.", 403: "This is no longer yours to see.", 404: "This session has ended and is gone."};
let timer, events, busy = false, again = false, ended = false, used = performance.now(), at = used;

const same = (one, other) =>
  one && one.nodeType === other.nodeType && one.nodeName === other.nodeName && one.id === other.id;

// Makes one element like another, and leaves alone what is alike: the focus stays where it is.
function sync(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) { old.data = fresh.data; return; }
  for (const { name, value } of fresh.attributes)
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes])
    if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  const kept = new Set([...fresh.children].map((child) => child.id));
  for (const child of [...old.children]) if (child.id && !kept.has(child.id)) child.remove();
  let next = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    let match = same(next, child) ? next : null;
    if (!match && child.id) match = [...old.children].find((one) => same(one, child));
    if (!match) { old.insertBefore(document.adoptNode(child), next); continue; }
    if (match === next) next = next.nextSibling;
    else old.insertBefore(match, next);
    sync(match, child);
  }
  while (next) { const after = next.nextSibling; next.remove(); next = after; }
}

const states = () => new Map([...document.querySelectorAll("[data-state]")].map((one) => [one.id, one.dataset]).map(([id, data]) => [id, `${data.called}: ${data.state}`]));

function show(page) {
  const before = states(), focus = document.activeElement, home = focus.closest("[data-live]");
  const places = new Map([...document.querySelectorAll("pre")].map((one) => [one, one.scrollTop]));
  for (const region of regions()) {
    const fresh = page.getElementById(region.id);
    if (fresh) sync(region, fresh);
  }
  for (const [pre, top] of places) pre.scrollTop = top;
  document.title = page.title;
  at = performance.now();
  if (home && !focus.isConnected) {
    const heading = home.querySelector("h1, h2");
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
  const news = [...states()].filter(([id, words]) => before.has(id) && before.get(id) !== words);
  if (news.length) told.textContent = news.map(([, words]) => words).join(". ");
}

function say(text) {
  if (over.textContent !== text) over.textContent = text;
  over.hidden = !text;
}

function end(status) {
  ended = true;
  listen();
  say(ENDS[status]);
  if (status !== 401) for (const region of regions()) region.hidden = true;
}

async function refresh() {
  if (ended) return;
  if (busy) { again = true; return; }
  busy = true;
  again = false;
  clearTimeout(timer);
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store", redirect: "manual" });
    // It is ready: what was waited for is there.
    if (answer.type === "opaqueredirect") { ended = true; listen(); location.replace(location.href); return; }
    if (answer.status in ENDS) { end(answer.status); return; }
    if (!answer.ok) throw new Error(answer.status);
    show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    say("");
  } catch {
    say("The server does not answer right now. This page tries again by itself.");
  } finally {
    busy = false;
  }
  listen();
  plan(again ? 0.2 : undefined);
}

function plan(seconds) {
  clearTimeout(timer);
  if (ended || (document.hidden && seconds === undefined)) return;
  const every = Math.min(...regions().map((region) => Number(region.dataset.every)));
  // Nobody at the keyboard for five minutes: less often.
  const calm = performance.now() - used > 300000 ? 5 : 1;
  timer = setTimeout(refresh, 1000 * (seconds ?? every * calm));
}

// The server tells each change of a session at once. Where nothing is waited for, only while somebody
// looks: a browser has few connections for one server.
function listen() {
  const { events: told, open } = document.querySelector("[data-events]")?.dataset ?? {};
  const wanted = ended || (document.hidden && !open) ? undefined : told;
  if (events && (events.told !== wanted || events.readyState === EventSource.CLOSED)) { events.close(); events = undefined; }
  if (wanted && !events) {
    events = new EventSource(wanted);
    events.told = wanted;
    events.onmessage = refresh;
  }
}

function words(seconds) {
  const s = Math.floor(seconds), m = Math.floor(s / 60), h = Math.floor(m / 60);
  if (h) return `${h} h ${m % 60} min`;
  if (m >= 10) return `${m} min`;
  return m ? `${m} min ${s % 60} s` : `${s} s`;
}

setInterval(() => {
  for (const one of document.querySelectorAll("[data-elapsed]"))
    one.textContent = words(Number(one.dataset.elapsed) + (performance.now() - at) / 1000);
}, 1000);

const filter = document.querySelector("[data-filter]");
filter?.addEventListener("input", () => {
  const here = new URL(location.href);
  here.searchParams.set("filter", filter.value);
  history.replaceState(null, "", here);
  plan(0.25);
});
for (const sign of ["pointermove", "pointerdown", "keydown", "scroll"])
  addEventListener(sign, () => { used = performance.now(); }, { passive: true });
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) { refresh(); return; }
  clearTimeout(timer);
  listen();
});
addEventListener("pageshow", (shown) => { if (shown.persisted) refresh(); });

// Who has watched it start goes there once it is ready; who comes later stays here.
const way = document.querySelector("[data-open]")?.dataset.open;
if (way) history.replaceState(null, "", way);
listen();
plan();
