// Puts the chat on the page: as a bubble with a panel, or as the page itself.
import { createTitles } from "../engine/chips.js";
import { createClient } from "../engine/client.js";
import { plain } from "../engine/markdown.js";
import { createNotifier } from "../engine/notify.js";
import { createBubble } from "./bubble.js";
import { createChoices } from "./choices.js";
import { el, gathered, icon, iconButton } from "./dom.js";
import { createFrame } from "./frame.js";
import { excerpt } from "./items.js";
import { loadTexts } from "./texts.js";

const STYLES = ["theme", "frame", "log", "composer", "sheet", "panel"];
const NAME = "giestack-chat";
// A page's own button dispatches this (cancelable) on the window; who hears it prevents its default.
const TOGGLE = "giestack-chat-toggle";
const PAGE_STYLE = "html,body{margin:0;height:100%;overflow:hidden}";

// base: URL of the chat; files: URL of these files; known: answer of whoami, with its status; wishes: data-… of the tag.
// Resolves to what is to be called when the tag comes again.
export async function start({ base, files, known, wishes }) {
  const choices = createChoices(() => localStorage);
  const client = createClient({ base, galaxyUrl: known.galaxy_url, whoami: known });
  const styles = await Promise.all(STYLES.map((name) => styleSheet(`${files}view/${name}.css`)));
  const host = document.createElement(NAME);
  const shadow = host.attachShadow({ mode: "open" });
  const placement = new CSSStyleSheet();
  shadow.adoptedStyleSheets = [...styles, placement];
  // What is typed here is not the page's: it has keys of its own.
  for (const kind of ["keydown", "keyup", "keypress"]) host.addEventListener(kind, (event) => event.stopPropagation());
  const page = wishes.view === "page";
  if (page) await dressPage();
  const shared = { client, base, files, known, wishes, choices, placement, shadow, host, page, active: () => shadow.activeElement };
  shared.put = () => { if (!host.isConnected) document.body.append(host); };
  const build = async (open, then) => {
    shared.view?.end();
    const texts = await loadTexts(files, [choices.get("language"), wishes.language, ...navigator.languages], known.languages);
    shared.view = await show({ ...shared, texts }, build, open);
    if (then === "settings") shared.view.settings();
  };
  await build(page);
  shared.put();
  await client.start();
  shared.view.render();
  shared.view.arrive?.();
  return shared.put;
}

async function styleSheet(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return new CSSStyleSheet().replace(await answer.text());
}

async function dressPage() {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(PAGE_STYLE);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}

// Builds the view in one language; `build` makes it anew in another.
async function show(ctx, build, opened) {
  const { client, texts, shadow, host, choices, wishes, page } = ctx;
  let open = opened;
  Object.assign(ctx, {
    visible: () => open && document.visibilityState === "visible",
    titles: createTitles({ galaxyUrl: client.state.galaxy_url ?? ctx.known.galaxy_url, fetch: (...asked) => fetch(...asked), origin: location.origin }),
    dress: () => { root.dataset.theme = choices.get("theme") || wishes.theme || ""; },
    anew: (then) => build(open, then),
    notifier: createNotifier({ client, window, texts: { title: (detail) => noticeTitle(ctx, detail), body: (detail) => excerpt(plain(detail.message?.text ?? "")) }, onOpen: (room) => { reveal(true); frame.follow(`#room=${encodeURIComponent(room)}`); } }),
  });
  const enlarge = page ? null : iconButton("enlarge", texts.say("panel.enlarge"), () => { choices.set("enlarged", !choices.get("enlarged")); size(); }, { class: "tool enlarge" });
  const frame = createFrame(ctx, page ? [] : [enlarge, iconButton("close", texts.say("panel.close"), () => reveal(false))]);
  const bubble = page ? null : createBubble(ctx, () => reveal(!open));
  const panel = page ? el("main", { class: "page" }, el("h1", { class: "hidden" }, texts.say("chat")), frame.node)
    : el("section", { class: "panel", role: "dialog", "aria-label": texts.say("chat"), hidden: true, onkeydown: (event) => { if (event.key === "Escape" && !event.defaultPrevented) { event.preventDefault(); reveal(false); } } }, frame.node);
  const root = el("div", { class: "root", lang: texts.language, dir: texts.direction }, bubble?.node, panel);

  function size() {
    const large = choices.get("enlarged");
    panel.classList.toggle("large", large);
    const words = texts.say(large ? "panel.shrink" : "panel.enlarge");
    enlarge.setAttribute("aria-label", words);
    enlarge.title = words;
    enlarge.replaceChildren(icon(large ? "shrink" : "enlarge"));
  }

  function reveal(to) {
    if (page) return;
    const had = shadow.activeElement;
    open = to;
    panel.hidden = !open;
    render();
    if (open) { frame.seen(); frame.focusHome(); } else if (had) bubble.node.focus();
  }

  function render() {
    bubble?.render(open);
    if (open) frame.render();
    if (page) document.title = client.state.unread ? `(${texts.number(client.state.unread)}) ${texts.say("chat")}` : texts.say("chat");
  }

  const plan = gathered(render);
  const heard = client.subscribe((kind, room, detail) => { frame.heard(kind, room, detail); if (kind === "phase" || kind === "rooms") plan(); });
  const looked = () => { if (ctx.visible()) frame.seen(); };
  const hashed = () => frame.follow(location.hash);
  const toggled = (event) => { event.preventDefault(); ctx.put(); reveal(!open); };
  document.addEventListener("visibilitychange", looked);
  if (page) window.addEventListener("hashchange", hashed);
  else window.addEventListener(TOGGLE, toggled);
  ctx.dress();
  if (!page) { size(); panel.hidden = !open; }
  shadow.replaceChildren(root);
  render();
  return {
    render,
    settings: () => frame.openSettings(),
    arrive: () => { if (page && !frame.follow(location.hash)) openNamed(ctx, frame); },
    end() { heard(); ctx.notifier.stop(); frame.end(); document.removeEventListener("visibilitychange", looked); window.removeEventListener("hashchange", hashed); window.removeEventListener(TOGGLE, toggled); },
  };
}

function noticeTitle({ client, texts }, { room, message, dm }) {
  const name = message?.name ?? "";
  return dm ? name : texts.say("notify.title", { name, room: client.state.rooms.get(room)?.name ?? "" });
}

// Galaxy's old masthead names rooms in the address: the first of them that there is, is opened.
function openNamed({ client }, frame) {
  const names = (new URLSearchParams(location.search).get("persistent_communication_rooms") ?? "").split(",").map((name) => name.trim()).filter(Boolean);
  const find = () => {
    for (const name of names) for (const room of client.state.rooms.values()) if (room.name === name) return room;
    return null;
  };
  const look = () => {
    const room = find();
    if (room) { stop(); frame.follow(`#room=${encodeURIComponent(room.id)}`); }
  };
  const stop = names.length ? client.subscribe((kind) => { if (kind === "rooms" || kind === "phase") look(); }) : () => {};
  if (names.length) look();
}
