// What moderators can do, as forms.
import { el } from "./dom.js";
import { field, openForm, select, toggle } from "./sheet.js";

const MINUTE = 60_000;
const DURATIONS = [[10 * MINUTE, "time.minutes", 10], [60 * MINUTE, "time.hours", 1], [24 * 60 * MINUTE, "time.days", 1], [7 * 24 * 60 * MINUTE, "time.days", 7], [30 * 24 * 60 * MINUTE, "time.days", 30]];
const PACES = [0, 5, 10, 30, 60, 300, 900];

export const isModerator = (ctx) => ["moderator", "admin"].includes(ctx.client.state.me?.role);

const reasonInput = () => el("input", { type: "text", maxlength: "200", autocomplete: "off", dir: "auto" });

function durations(texts) {
  return select([...DURATIONS.map(([ms, key, count]) => [ms, texts.say(key, { count })]), ["0", texts.say("time.for_ever")]], DURATIONS[1][0]);
}

const until = (ctx, chosen) => (Number(chosen.value) ? ctx.client.serverNow() + Number(chosen.value) : undefined);

// act: mute (in the room, or everywhere) or ban (from all of the chat).
export function openSanction(ctx, act, room, user) {
  const { client, texts } = ctx;
  const time = durations(texts), reason = reasonInput();
  let everywhere = !room || room.kind === "dm";
  const scope = act === "mute" && !everywhere ? toggle(texts.say("sanction.everywhere"), false, (on) => { everywhere = on; }) : null;
  openForm(ctx, {
    title: texts.say(act === "mute" ? "sanction.mute_title" : "sanction.ban_title", { name: user.name }),
    words: texts.say(act === "mute" ? "sanction.mute_words" : "sanction.ban_words"),
    fields: [field(texts.say("sanction.how_long"), time), scope, field(texts.say("sanction.reason"), reason, texts.say("sanction.reason_hint"))],
    label: texts.say(act === "mute" ? "sanction.mute" : "sanction.ban"),
    danger: true,
    act: async () => {
      await client.moderate({ act, user: user.id, room: everywhere || act === "ban" ? undefined : room.id, until: until(ctx, time), reason: reason.value.trim() || undefined });
      ctx.tell(texts.say("done"));
    },
  });
}

export async function lift(ctx, act, room, user) {
  try {
    await ctx.client.moderate({ act, user: user.id, room: act === "unmute" && room ? room.id : undefined });
    ctx.tell(ctx.texts.say("done"));
  } catch (error) { ctx.complain(error); }
}

export function openDelete(ctx, room, message) {
  const { client, texts } = ctx;
  const reason = message.mine ? null : reasonInput();
  openForm(ctx, {
    title: texts.say("delete.title"),
    words: texts.say(message.mine ? "delete.own" : "delete.other"),
    fields: reason ? [field(texts.say("sanction.reason"), reason, texts.say("sanction.reason_hint"))] : [],
    label: texts.say("delete.go"),
    danger: true,
    act: () => client.remove(room.id, message.seq, reason?.value.trim() || undefined),
  });
}

export function openReport(ctx, room, message) {
  const { client, texts } = ctx;
  const reason = el("textarea", { rows: "3", maxlength: "500", dir: "auto" });
  openForm(ctx, {
    title: texts.say("report.title"),
    words: texts.say("report.words"),
    fields: [field(texts.say("report.reason"), reason)],
    label: texts.say("report.go"),
    act: async () => {
      await client.report(room.id, message.seq, reason.value.trim());
      ctx.tell(texts.say("report.done"));
    },
  });
}

export function openSlow(ctx, room) {
  const { client, texts } = ctx;
  const pace = select(PACES.map((seconds) => [seconds, seconds ? (seconds < 60 ? texts.say("time.seconds", { count: seconds }) : texts.say("time.minutes", { count: seconds / 60 })) : texts.say("slow.off")]), room.slow);
  openForm(ctx, {
    title: texts.say("slow.title"),
    words: texts.say("slow.words"),
    fields: [field(texts.say("slow.label"), pace)],
    label: texts.say("slow.go"),
    act: () => client.moderate({ act: "slow", room: room.id, seconds: Number(pace.value) }),
  });
}

export async function setLock(ctx, room, locked) {
  try {
    await ctx.client.moderate({ act: locked ? "lock" : "unlock", room: room.id });
  } catch (error) { ctx.complain(error); }
}
