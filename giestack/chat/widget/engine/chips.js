// Links to Galaxy's histories, datasets and workflows, and their titles, if Galaxy tells them to
// whoever is looking.

const ID = /^[0-9a-f]{16,64}$/i;
const IN_TEXT = /https?:\/\/[^\s<>"`]+|\b(?:history|dataset|workflow):[0-9a-f]{16,64}\b/gi;
const MOST_TITLES = 500;

const PAGES = {
  history: (id) => `/histories/view?id=${id}`,
  dataset: (id) => `/datasets/${id}`,
  workflow: (id) => `/published/workflow?id=${id}`,
};
const APIS = {
  history: (id) => `/api/histories/${id}?keys=name`,
  dataset: (id) => `/api/datasets/${id}?keys=name`,
  workflow: (id) => `/api/workflows/${id}`,
};

// All chips in a text: {kind, id or user and slug, href, start, end} each.
export function findChips(text, galaxyUrl) {
  if (!galaxyUrl) return [];
  const chips = [];
  for (const { 0: found, index } of text.matchAll(IN_TEXT)) {
    const word = found.replace(/[.,:;!?'*_~)\]]+$/, "");
    const chip = /^https?:/i.test(word) ? chipOf(word, galaxyUrl) : named(word, galaxyUrl);
    if (chip) chips.push({ ...chip, start: index, end: index + word.length });
  }
  return chips;
}

// The chip of one address, or null.
export function chipOf(href, galaxyUrl) {
  let url;
  let galaxy;
  try {
    url = new URL(href);
    galaxy = new URL(galaxyUrl);
  } catch {
    return null;
  }
  const root = galaxy.pathname.replace(/\/+$/, "");
  if (url.host !== galaxy.host || !url.pathname.startsWith(`${root}/`)) return null;
  if (!/^https?:$/.test(url.protocol) || url.username || url.password) return null;
  const parts = url.pathname.slice(root.length + 1).split("/");
  const found = thing(parts, url.searchParams.get("id") ?? "");
  return found && { ...found, href: url.href };
}

function thing([first, second = "", third, slug], id) {
  const kind = { h: "history", w: "workflow" }[third];
  if (first === "u" && second && kind && slug) return { kind, user: second, slug };
  if (first === "datasets" && ID.test(second)) return { kind: "dataset", id: second };
  if (!ID.test(id)) return null;
  if (first === "histories" && second === "view") return { kind: "history", id };
  if (first === "workflows") return { kind: "workflow", id };
  if (first === "published" && second === "history") return { kind: "history", id };
  if (first === "published" && second === "workflow") return { kind: "workflow", id };
  return null;
}

function named(word, galaxyUrl) {
  const [kind, id] = word.toLowerCase().split(":");
  return { kind, id, href: galaxyUrl.replace(/\/+$/, "") + PAGES[kind](id) };
}

// title(chip) → the thing's name, or null where Galaxy doesn't tell this viewer. Only a Galaxy on
// the page's own origin is asked: the viewer's cookie goes nowhere else.
export function createTitles({ galaxyUrl, fetch = globalThis.fetch, origin = globalThis.location?.origin }) {
  const known = new Map();
  const root = (galaxyUrl ?? "").replace(/\/+$/, "");
  const own = sameOrigin(root, origin);

  async function ask(chip) {
    const answer = await fetch(root + APIS[chip.kind](chip.id), {
      credentials: "same-origin",
      headers: { Accept: "application/json" },
    });
    if (!answer.ok) return null;
    const { name } = await answer.json();
    return typeof name === "string" && name ? name.slice(0, 200) : null;
  }

  return {
    title(chip) {
      if (!own || !chip.id) return Promise.resolve(null);
      const key = `${chip.kind} ${chip.id}`;
      if (!known.has(key)) {
        if (known.size >= MOST_TITLES) known.delete(known.keys().next().value);
        known.set(
          key,
          ask(chip).catch(() => {
            known.delete(key);
            return null;
          }),
        );
      }
      return known.get(key);
    },
  };
}

function sameOrigin(root, origin) {
  try {
    return new URL(root).origin === origin;
  } catch {
    return false;
  }
}
