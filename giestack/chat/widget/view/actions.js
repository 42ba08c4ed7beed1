// What one can do with a message and with a room: menus, and keys for the same.
import { openMenu } from "./menu.js";
import { isModerator, openDelete, openReport, openSanction, openSlow, setLock } from "./moderation.js";

export async function copy(ctx, text, words) {
  try {
    await navigator.clipboard.writeText(text);
    ctx.tell(words);
  } catch {
    ctx.tell(ctx.texts.say("copy.failed"));
  }
}

export const roomLink = (ctx, room, seq = null) => `${ctx.base}#room=${encodeURIComponent(room.id)}${seq ? `&message=${seq}` : ""}`;

export function createMessageActions(ctx, composer) {
  const { client, texts } = ctx;
  const current = () => client.state.rooms.get(client.state.current);
  const mayWrite = () => !client.canWrite(current().id);

  function entries(message) {
    const room = current(), moderator = isModerator(ctx);
    const say = (key) => texts.say(key);
    const other = { id: message.user, name: message.name };
    return [
      !message.deleted && mayWrite() && { icon: "reply", label: say("message.reply"), act: () => composer().reply(message) },
      client.mayEdit(room.id, message) && mayWrite() && { icon: "edit", label: say("message.edit"), act: () => composer().edit(message) },
      !message.deleted && { icon: "copy", label: say("message.copy_text"), act: () => copy(ctx, message.text, say("copy.text_done")) },
      { icon: "link", label: say("message.copy_link"), act: () => copy(ctx, roomLink(ctx, room, message.seq), say("copy.link_done")) },
      !message.mine && room.kind !== "dm" && { icon: "person", label: say("message.write_to"), act: () => ctx.writeTo(other) },
      !message.mine && !message.deleted && { icon: "flag", label: say("message.report"), act: () => openReport(ctx, room, message) },
      !message.deleted && (client.mayEdit(room.id, message) || moderator) && { icon: "remove", label: say("message.delete"), danger: true, act: () => openDelete(ctx, room, message) },
      !message.mine && moderator && { icon: "mute", label: say("message.mute"), danger: true, act: () => openSanction(ctx, "mute", room, other) },
      !message.mine && moderator && { icon: "ban", label: say("message.ban"), danger: true, act: () => openSanction(ctx, "ban", room, other) },
    ];
  }

  // Keys on a message that has the focus: those of the menu, and short ways to what is done most.
  function key(event, message, node) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const room = current();
    if (["Enter", " ", "ContextMenu"].includes(event.key) || (event.key === "F10" && event.shiftKey)) menu(message, node.querySelector(".dots"));
    else if (event.key === "r" && !message.deleted && mayWrite()) composer().reply(message);
    else if (event.key === "e" && client.mayEdit(room.id, message) && mayWrite()) composer().edit(message);
    else if (event.key === "Delete" && !message.deleted && (client.mayEdit(room.id, message) || isModerator(ctx))) openDelete(ctx, room, message);
    else return false;
    return true;
  }

  const menu = (message, anchor) => openMenu(ctx, anchor, entries(message), texts.say("message.actions"));
  return { menu, key };
}

// anchor: the button; tools: {clear(), people(), search()}.
export function openRoomMenu(ctx, room, anchor, tools) {
  const { client, texts } = ctx;
  const say = (key) => texts.say(key);
  const moderator = isModerator(ctx) && room.kind !== "dm";
  openMenu(ctx, anchor, [
    { icon: "search", label: say("room.search"), act: tools.search },
    room.kind !== "dm" && { icon: "link", label: say(room.kind === "unlisted" ? "room.invite" : "room.link"), act: () => copy(ctx, roomLink(ctx, room), say("copy.link_done")) },
    { icon: "clear", label: say("room.clear"), act: tools.clear },
    moderator && { icon: "slow", label: say("room.slow"), act: () => openSlow(ctx, room) },
    moderator && { icon: "lock", label: say(room.locked ? "room.unlock" : "room.lock"), act: () => setLock(ctx, room, !room.locked) },
    room.joined && !room.persistent && { icon: "leave", label: say("room.leave"), danger: true, act: leave },
  ], say("room.actions"));
  async function leave() {
    try {
      await client.leave(room.id);
      ctx.leaveRoom();
    } catch (error) { ctx.complain(error); }
  }
}
