// Elements, made by calls alone: no text ever becomes markup.
const SVG = "http://www.w3.org/2000/svg";

// An element with attributes (true: empty; null and false: none) and `onclick` and the like as listeners.
export function el(name, given = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Text of others, which keeps its direction to itself.
export const bdi = (text, given = {}) => el("bdi", given, text ?? "");

const SHAPES = {
  chat: ["M21 12a8 8 0 0 1-8 8H4l2-3.2A8 8 0 1 1 21 12Z"],
  close: ["M6 6l12 12M18 6L6 18"],
  enlarge: ["M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7"],
  shrink: ["M20 10h-6V4M14 10l6-6M4 14h6v6M10 14l-6 6"],
  back: ["M15 5l-7 7 7 7"],
  search: ["M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM16.5 16.5 21 21"],
  people: ["M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20c.4-3.7 3-6 6.5-6s6.1 2.3 6.5 6M16 4.3a3.5 3.5 0 0 1 0 6.4M18 14.5c2 .9 3.2 2.8 3.5 5.5"],
  settings: ["M4 7h9M19 7h1M4 17h1M11 17h9", "M16 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM8 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z"],
  plus: ["M12 5v14M5 12h14"],
  more: ["M5 12h.01M12 12h.01M19 12h.01"],
  send: ["M4 12 20 4l-5 16-3.5-6.5L4 12ZM11.5 13.5 20 4"],
  reply: ["M9 7 4 12l5 5M4 12h10a6 6 0 0 1 6 6v1"],
  edit: ["M4 20l1-4L16 5l3 3L8 19l-4 1Z"],
  remove: ["M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13"],
  flag: ["M6 21V4M6 4h11l-2 4 2 4H6"],
  link: ["M10 14a4 4 0 0 0 6 0l3-3a4.2 4.2 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4.2 4.2 0 0 0 6 6l1-1"],
  copy: ["M9 9h11v11H9ZM5 15H4V4h11v1"],
  lock: ["M6 11h12v9H6ZM8.5 11V8a3.5 3.5 0 0 1 7 0v3"],
  room: ["M9.5 4 7.5 20M16.5 4l-2 16M4.5 9h16M3.5 15h16"],
  unlisted: ["M3 12s3.5-6 9-6 9 6 9 6-3.5 6-9 6-9-6-9-6ZM4 20 20 4"],
  person: ["M12 11.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4.5 20.5c.5-4 3.5-6.5 7.5-6.5s7 2.5 7.5 6.5"],
  down: ["M12 5v14M6 13l6 6 6-6"],
  warning: ["M12 4 2.5 20h19L12 4ZM12 10v4M12 17h.01"],
  leave: ["M14 4H5v16h9M10 12h11M17 8l4 4-4 4"],
  mute: ["M4 9.5v5h4l5 4v-13l-5 4H4ZM17 9.5l4 5M21 9.5l-4 5"],
  ban: ["M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM5.7 5.7l12.6 12.6"],
  slow: ["M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 7v5l3.5 2"],
  clear: ["M4 6h16M4 11h10M4 16h6M15 15l5 5M20 15l-5 5"],
  history: ["M4 5v5h5M4.5 10A8 8 0 1 1 4 13M12 8v4.5l3 2"],
  dataset: ["M5 4h14v16H5ZM5 9.5h14M5 14.5h14M10 9.5V20"],
  workflow: ["M4 4h6v6H4ZM14 14h6v6h-6ZM7 10v7h7"],
};

// A line drawing of 24 × 24 in the colour of the text; it says nothing to a screen reader.
export function icon(name) {
  const drawing = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" })) drawing.setAttribute(key, value);
  for (const shape of SHAPES[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", shape);
    drawing.append(path);
  }
  return drawing;
}

// A button that shows an icon alone; what it does is its name and its tooltip.
export const iconButton = (shape, label, onclick, given = {}) =>
  el("button", { type: "button", class: "tool", "aria-label": label, title: label, onclick, ...given }, icon(shape));

export const button = (label, onclick, given = {}) => el("button", { type: "button", class: "button", onclick, ...given }, label);

let ids = 0;
export const newId = (what) => `gc-${what}-${++ids}`;

// Calls `work` once for any number of calls; soon, but between two pictures while the page is seen.
export function gathered(work) {
  let planned = false;
  const run = () => { planned = false; work(); };
  return () => {
    if (planned) return;
    planned = true;
    if (document.hidden) setTimeout(run, 100);
    else requestAnimationFrame(run);
  };
}
