// Lines of the log that nobody has said: days, who came and went, what moderators did.
import { bdi, el } from "./dom.js";

const MOST_NAMES = 3;

export function lineNode(line, ctx) {
  const { texts } = ctx;
  switch (line.kind) {
    case "day": return el("div", { class: "day", role: "separator" }, el("time", { datetime: new Date(line.ts).toISOString().slice(0, 10) }, texts.day(line.ts, Date.now())));
    case "new": return el("div", { class: "new", role: "separator" }, el("span", {}, texts.say("log.new")));
    case "note": return el("div", { class: "note", "aria-live": "off" }, noteWords(line.note, texts));
    default: return el("div", { class: "note" }, noticeWords(line.notice, ctx));
  }
}

// What of such a line is seen.
export const lineSeen = (line) => (line.kind === "note" ? `${line.note.join}|${line.note.leave}` : "");

function noteWords({ join, leave }, texts) {
  const of = (names, one) => {
    const shown = names.length > MOST_NAMES ? names.slice(0, MOST_NAMES - 1) : names;
    const rest = names.length - shown.length;
    const list = rest ? [...shown, texts.say("note.others", { count: rest })] : shown;
    return el("span", {}, texts.nodes(one, { names: el("bdi", {}, texts.list(list)), count: names.length }, bdi));
  };
  return [join.length ? of(join, "note.joined") : null, join.length && leave.length ? " · " : null, leave.length ? of(leave, "note.left") : null];
}

const ACTS = {
  mute: "act.mute", unmute: "act.unmute", ban: "act.ban", unban: "act.unban", slow: "act.slow",
  lock: "act.lock", unlock: "act.unlock", del: "act.del",
};

function noticeWords(notice, ctx) {
  const { texts } = ctx;
  const until = notice.until && notice.until < Number.MAX_SAFE_INTEGER ? notice.until : 0;
  let key = ACTS[notice.act] ?? "act.other";
  if (notice.act === "slow" && !notice.seconds) key = "act.slow_off";
  if (until && notice.act === "mute") key = "act.mute_until";
  if (until && notice.act === "ban") key = "act.ban_until";
  const words = texts.nodes(key, { by: notice.by_name ?? "", name: notice.name ?? "", count: notice.seconds ?? 0, until: until ? texts.short(until) : "" }, bdi);
  return notice.reason ? [...words, " ", el("q", { dir: "auto" }, notice.reason)] : words;
}
