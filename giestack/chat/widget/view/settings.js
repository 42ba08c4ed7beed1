// What one can choose.
import { button, el } from "./dom.js";
import { field, openForm, openSheet, select, toggle } from "./sheet.js";
import { SHIPPED } from "./texts.js";

export function openSettings(ctx) {
  const { texts } = ctx;
  openSheet(ctx, { title: texts.say("settings.title"), content: [notifying(ctx), looking(ctx), exporting(ctx), leaving(ctx)] });
}

const section = (title, ...content) => el("section", {}, el("h3", {}, title), content);

function notifying(ctx) {
  const { client, texts, notifier } = ctx;
  const note = el("p", { class: "hint", role: "status" });
  const desktop = toggle(texts.say("settings.desktop"), notifier.settings.desktop && notifier.permission() === "granted", async (on, input) => {
    const granted = !on || await notifier.ask();
    const allowed = on && (granted === true || granted === "granted" || notifier.permission() === "granted");
    input.checked = allowed;
    notifier.set({ desktop: allowed });
    note.textContent = on && !allowed ? texts.say("settings.desktop_denied") : "";
  });
  return section(texts.say("settings.notifications"), desktop, note,
    toggle(texts.say("settings.sound"), notifier.settings.sound, (on) => notifier.set({ sound: on })),
    toggle(texts.say("settings.all"), notifier.settings.all, (on) => notifier.set({ all: on })),
    toggle(texts.say("settings.do_not_disturb"), client.state.prefs.do_not_disturb, async (on, input) => {
      try {
        await client.setPrefs({ do_not_disturb: on });
      } catch (error) {
        input.checked = !on;
        ctx.complain(error);
      }
    }));
}

function looking(ctx) {
  const { texts, choices } = ctx;
  const languages = (ctx.known.languages ?? SHIPPED).map((language) => [language, texts.name(language)]);
  const themes = [["", texts.say("settings.theme_system")], ["light", texts.say("settings.theme_light")], ["dark", texts.say("settings.theme_dark")]];
  return section(texts.say("settings.appearance"),
    field(texts.say("settings.language"), select([["", texts.say("settings.language_browser")], ...languages], choices.get("language"), (value) => { choices.set("language", value); ctx.anew("settings"); })),
    field(texts.say("settings.theme"), select(themes, choices.get("theme"), (value) => { choices.set("theme", value); ctx.dress(); })));
}

function exporting(ctx) {
  const { texts } = ctx;
  const link = (format, words) => el("a", { class: "button", href: `${ctx.base}api/export?format=${format}`, download: true }, words);
  return section(texts.say("settings.export"), el("p", { class: "hint" }, texts.say("settings.export_words")),
    el("div", { class: "actions start" }, link("text", texts.say("settings.export_text")), link("jsonl", texts.say("settings.export_json"))));
}

function leaving(ctx) {
  const { client, texts } = ctx;
  const confirm = () => openForm(ctx, {
    title: texts.say("opt_out.title"), words: texts.say("opt_out.words"), label: texts.say("opt_out.go"), danger: true, act: () => client.optOut(),
  });
  return section(texts.say("settings.leave"), el("p", { class: "hint" }, texts.say("settings.leave_words")),
    el("div", { class: "actions start" }, button(texts.say("settings.leave_go"), confirm, { class: "button danger" })),
    client.state.transport && client.state.transport !== "websocket" ? el("p", { class: "hint" }, texts.say("status.fallback")) : null);
}
