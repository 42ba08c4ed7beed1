// Puts the chat's bubble on a page: <script src="{chat}/widget.js" async></script> is all it takes.
// As a module it does the same. Attributes of the tag: data-theme (light, dark), data-language (en, de, …),
// data-logged-out="show" (a bubble with a way to log in for strangers too), data-view="page" (fills the page).
(() => {
  const once = Symbol.for("giestack.chat");
  const mine = () => {
    if (document.currentScript?.src) return document.currentScript;
    const said = String(new Error().stack).match(/https?:[^\s()@]+\/widget\.js/g)?.pop();
    return [...document.querySelectorAll('script[src*="widget.js"]')].find((tag) => !said || tag.src.startsWith(said)) ?? (said && { src: said, dataset: {} });
  };
  // A page that changes by script may bring the tag again, or lose what the first one has made.
  if (window[once]) { window[once].again?.(); return; }
  const tag = mine();
  if (!tag) return;
  const base = new URL(".", tag.src).href;
  const wishes = { ...tag.dataset };
  const here = {};
  Object.defineProperty(window, once, { value: here });

  async function whoami() {
    const answer = await fetch(`${base}whoami`, { credentials: "include", headers: { Accept: "application/json" } });
    if (answer.status !== 401 && answer.status !== 403 && !answer.ok) throw new Error(`whoami: ${answer.status}`);
    return { ...(await answer.json()), status: answer.status };
  }

  async function begin() {
    const known = await whoami();
    const page = wishes.view === "page";
    if (known.status !== 200 && !page && wishes.loggedOut !== "show") return;
    const files = new URL(`${known.static ?? new URL("static", base).pathname}/`, base).href;
    const { start } = await import(`${files}view/start.js`);
    here.again = await start({ base, files, known, wishes });
  }

  // A chat that does not answer is asked again, less and less often: the page has other things to do.
  async function attempt(seconds) {
    try {
      await begin();
    } catch (error) {
      console.warn("The chat does not answer:", error);
      setTimeout(attempt, 1000 * seconds * (0.75 + Math.random() / 2), Math.min(seconds * 2, 600));
    }
  }

  if (document.body) attempt(5);
  else document.addEventListener("DOMContentLoaded", () => attempt(5), { once: true });
})();
