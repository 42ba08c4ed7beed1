// What a room's log shows, line by line. Pure: it knows no page.
const TOGETHER = 5 * 60 * 1000;
const dayOf = (ms) => { const day = new Date(ms); return `${day.getFullYear()}-${day.getMonth() + 1}-${day.getDate()}`; };

// Messages, acts of moderators and notes on who came and went, by time, with the lines between them.
//   messages, notices: of the room, in order; notes: [{ts, join: [names], leave: [names], key}]
//   cleared: seq up to which the reader has cleared the view; since: seq after which it is new (null: nothing is)
//   first: seq of the first message to show
// Returns [{kind: day|message|notice|note|new, key, …}]; of messages `head` says whether the author stands above.
export function items({ messages, notices = [], notes = [], cleared = 0, since = null, first = 0 }) {
  const from = Math.max(first, cleared + 1);
  const lines = [
    ...messages.filter((one) => one.seq >= from).map((message) => ({ kind: "message", key: `m${message.seq}`, ts: message.ts, seq: message.seq, message })),
    ...notices.filter((one) => one.seq >= from).map((notice) => ({ kind: "notice", key: `n${notice.seq}`, ts: notice.ts, seq: notice.seq, notice })),
  ].sort((one, other) => one.seq - other.seq);
  const oldest = lines[0]?.ts ?? 0;
  const shown = merged(lines, notes.filter((note) => note.ts >= oldest));
  const result = [];
  let day = null, author = null, last = 0, marked = false;
  for (const line of shown) {
    if (dayOf(line.ts) !== day) {
      day = dayOf(line.ts);
      result.push({ kind: "day", key: `d${day}`, ts: line.ts });
      author = null;
    }
    const fresh = since !== null && line.kind === "message" && line.seq > since && !line.message.mine;
    if (fresh && !marked) {
      marked = true;
      result.push({ kind: "new", key: "new" });
      author = null;
    }
    if (line.kind === "message") {
      line.head = author !== line.message.user || line.ts - last > TOGETHER || Boolean(line.message.reply);
      author = line.message.user;
      last = line.ts;
    } else author = null;
    result.push(line);
  }
  return result;
}

// Lines keep the order of their numbers; notes stand where their time says.
function merged(lines, notes) {
  const result = [];
  let next = 0;
  for (const line of lines) {
    while (next < notes.length && notes[next].ts < line.ts) result.push(noteLine(notes[next++]));
    result.push(line);
  }
  return [...result, ...notes.slice(next).map(noteLine)];
}

const noteLine = (note) => ({ kind: "note", key: `p${note.key}`, ts: note.ts, note });

// Notes on who came and went: what comes together is one note, and who only blinked is in none.
//   notes: so far; came, went: names; lastMessage: time of the newest message. Returns the notes to show from now on.
export function noted(notes, came, went, ts, lastMessage) {
  if (!came.length && !went.length) return notes;
  const last = notes.at(-1);
  const goesOn = last && last.ts >= lastMessage && ts - last.ts < TOGETHER;
  const join = new Set(goesOn ? last.join : []);
  const leave = new Set(goesOn ? last.leave : []);
  for (const name of came) if (!leave.delete(name)) join.add(name);
  for (const name of went) if (!join.delete(name)) leave.add(name);
  const rest = goesOn ? notes.slice(0, -1) : notes;
  if (!join.size && !leave.size) return rest;
  const note = { key: goesOn ? last.key : (last?.key ?? 0) + 1, ts: goesOn ? last.ts : ts, join: [...join], leave: [...leave] };
  return [...rest, note].slice(-50);
}

// The word that is being written at the caret if it is the beginning of a mention: {start, text}, else null.
export function mentionAt(text, caret) {
  const found = /(?:^|[\s(])@([\p{L}\p{N}._-]*)$/u.exec(text.slice(0, caret));
  return found && { start: caret - found[1].length - 1, text: found[1] };
}

// One of eight colours, the same for the same person everywhere.
export function hue(id) {
  let sum = 0x811c9dc5;
  for (const sign of String(id)) sum = Math.imul(sum ^ sign.codePointAt(0), 0x01000193);
  return ((sum >>> 0) ^ (sum >>> 15)) >>> 0 & 7;
}

// Signs as the server counts them.
export const length = (text) => [...text].length;

// A text in one line, for quotes and lists.
export function excerpt(text, most = 120) {
  const line = text.replace(/\s+/g, " ").trim();
  return length(line) > most ? `${[...line].slice(0, most - 1).join("")}…` : line;
}

// "2, 99+": what fits into a badge.
export const badge = (count) => (count > 99 ? "99+" : String(count));

// What a link to a room says: {room, message} of "#room=ID&message=SEQ".
export function placeIn(hash) {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const message = Number(said.get("message"));
  return { room: said.get("room") || null, message: Number.isSafeInteger(message) && message > 0 ? message : null };
}

// Rooms in groups, as the list shows them.
export function grouped(rooms) {
  const byName = (one, other) => one.name.localeCompare(other.name);
  const all = [...rooms];
  return {
    fixed: all.filter((room) => room.persistent),
    own: all.filter((room) => !room.persistent && room.kind !== "dm").sort(byName),
    dm: all.filter((room) => room.kind === "dm").sort(byName),
  };
}
