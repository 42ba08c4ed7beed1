#define _GNU_SOURCE
#include "dialect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A message's text begins with its stamp, when it was due, between two of these; nothing else in
   a frame has one. About 65 characters, as people write. */
#define MARK '#'
#define DIGITS 16
#define TEXT "#%016" PRIu64 "# the mapping has ended, where are the BAM files?"

static int begins(const char *text, size_t size, const char *with) {
  size_t length = strlen(with);
  return size >= length && !memcmp(text, with, length);
}

static int has(const char *text, size_t size, const char *what) {
  return memmem(text, size, what, strlen(what)) != NULL;
}

static uint64_t number(const char *digits, const char *end) {
  uint64_t found = 0;
  for (; digits < end && *digits >= '0' && *digits <= '9'; digits++)
    found = found * 10 + (uint64_t)(*digits - '0');
  return found;
}

static int stamped(const char *text, size_t size, uint64_t *stamp) {
  const char *mark = memchr(text, MARK, size);
  if (!mark || text + size - mark < DIGITS + 2 || mark[DIGITS + 1] != MARK) return 0;
  *stamp = number(mark + 1, mark + 1 + DIGITS);
  return 1;
}

/* giechat.v1.json. The stamp is also the request's id. */

static enum heard giechat_hear(const char *text, size_t size, uint64_t *stamp) {
  const char *id;
  if (begins(text, size, "{\"t\":\"msg\""))
    return stamped(text, size, stamp) ? HEARD_MESSAGE : HEARD_NOTHING;
  if (begins(text, size, "{\"t\":\"ok\"")) {
    if (has(text, size, "\"id\":\"join\"")) return HEARD_JOINED;
    id = memmem(text, size, "\"id\":", 5);
    *stamp = id ? number(id + 5, text + size) : 0;
    return *stamp ? HEARD_STORED : HEARD_NOTHING;
  }
  if (begins(text, size, "{\"t\":\"hello\"")) return HEARD_READY;
  if (begins(text, size, "{\"t\":\"gap\"")) return HEARD_GAP;
  return begins(text, size, "{\"t\":\"err\"") ? HEARD_REFUSAL : HEARD_NOTHING;
}

static size_t giechat_join(char *out, const char *room) {
  return (size_t)snprintf(out, MOST_SAID, "{\"t\":\"join\",\"id\":\"join\",\"room\":\"%s\"}", room);
}

static size_t giechat_message(char *out, const char *room, uint64_t stamp) {
  return (size_t)snprintf(out, MOST_SAID,
                          "{\"t\":\"msg\",\"id\":%" PRIu64 ",\"cid\":\"%016" PRIx64
                          "\",\"room\":\"%s\",\"text\":\"" TEXT "\"}",
                          stamp, stamp, room, stamp);
}

/* In {"id":"…","name":"NAME",…}. */
static size_t giechat_room_id(char *out, const char *ready, size_t size, const char *name) {
  char wanted[256];
  const char *found, *id, *end;
  snprintf(wanted, sizeof wanted, "\",\"name\":\"%s\",\"kind\":", name);
  end = memmem(ready, size, wanted, strlen(wanted));
  found = memmem(ready, size, "\"rooms\":", 8);
  if (!end || !found || end < found) return 0;
  id = memrchr(found, '"', (size_t)(end - found));
  if (!id || end - id > 200) return 0;
  memcpy(out, id + 1, (size_t)(end - id - 1));
  out[end - id - 1] = 0;
  return (size_t)(end - id - 1);
}

const struct dialect giechat = {
    .name = "giechat",
    .fields = "Sec-WebSocket-Protocol: giechat.v1.json\r\n",
    .hear = giechat_hear,
    .join = giechat_join,
    .message = giechat_message,
    .room_id = giechat_room_id,
};

/* Galaxy's old events, in its namespace. */

static enum heard socket_io_hear(const char *text, size_t size, uint64_t *stamp) {
  if (!size) return HEARD_NOTHING;
  if (text[0] == '0') return HEARD_OPEN;
  if (text[0] == '2') return HEARD_PING;
  if (begins(text, size, "42/chat,"))
    return stamped(text, size, stamp) ? HEARD_MESSAGE : HEARD_NOTHING;
  if (begins(text, size, "43/chat,")) return HEARD_JOINED;
  if (begins(text, size, "40/chat,")) return HEARD_READY;
  return begins(text, size, "44/chat,") ? HEARD_REFUSAL : HEARD_NOTHING;
}

static size_t socket_io_join(char *out, const char *room) {
  return (size_t)snprintf(out, MOST_SAID, "42/chat,1[\"join\",{\"room\":\"%s\"}]", room);
}

static size_t socket_io_message(char *out, const char *room, uint64_t stamp) {
  return (size_t)snprintf(out, MOST_SAID,
                          "42/chat,[\"event room\",{\"data\":\"" TEXT "\",\"room\":\"%s\"}]", stamp,
                          room);
}

const struct dialect socket_io = {
    .name = "socket.io",
    .fields = "",
    .hear = socket_io_hear,
    .join = socket_io_join,
    .message = socket_io_message,
};
