// Names to mention, offered while one is written (the pattern "combobox" of the ARIA Authoring Practices).
import { bdi, el, newId } from "./dom.js";
import { mentionAt } from "./items.js";
import { face, roleBadge } from "./message.js";

const MOST = 6;

export function createCompletion(ctx, input, roomId) {
  const { client, texts } = ctx;
  const list = el("ul", { class: "completion", role: "listbox", id: newId("names"), "aria-label": texts.say("completion.label"), hidden: true });
  let found = [], at = 0, word = null, asked = 0;
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);

  function hide() {
    found = [];
    asked += 1;
    list.hidden = true;
    input.removeAttribute("aria-activedescendant");
  }

  async function look() {
    word = input.selectionStart === input.selectionEnd ? mentionAt(input.value, input.selectionStart) : null;
    if (!word) { hide(); return; }
    const number = asked += 1;
    const start = word.text.toLowerCase();
    let people = [];
    try {
      people = await client.people(word.text, roomId());
    } catch { /* without names, then */ }
    if (number !== asked) return;
    found = people.filter((one) => one.id !== client.state.me.id && one.name.toLowerCase().startsWith(start)).slice(0, MOST);
    if ("room".startsWith(start)) found.push({ id: "room", name: "room", everybody: true });
    at = 0;
    render();
  }

  function render() {
    list.hidden = !found.length;
    list.replaceChildren(...found.map((one, index) => el("li", {
      role: "option", id: `${list.id}-${index}`, "aria-selected": String(index === at),
      onpointerdown: (event) => { event.preventDefault(); at = index; take(); },
    }, face(one.id, one.name), bdi(one.name), one.everybody ? el("span", { class: "hint" }, texts.say("completion.room")) : roleBadge(one.role, texts))));
    if (found.length) input.setAttribute("aria-activedescendant", `${list.id}-${at}`);
    else input.removeAttribute("aria-activedescendant");
  }

  function take() {
    const end = word.start + 1 + word.text.length;
    input.setRangeText(`@${found[at].name} `, word.start, end, "end");
    hide();
    input.dispatchEvent(new Event("input"));
  }

  // Whether the key was for the list.
  function key(event) {
    if (list.hidden) return false;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      at = (at + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length;
      render();
    } else if (event.key === "Enter" || event.key === "Tab") take();
    else if (event.key === "Escape") hide();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  return { node: list, look, key, hide };
}
