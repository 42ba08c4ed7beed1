/* What is said to a chat and what it answers: giechat.v1.json, or Galaxy's old events over
   Socket.IO 5 and Engine.IO 4, both in text frames of a WebSocket. */
#ifndef DIALECT_H
#define DIALECT_H

#include <stddef.h>
#include <stdint.h>

#define MOST_SAID 1024

enum heard {
  HEARD_NOTHING,   /* of interest here */
  HEARD_OPEN,      /* Engine.IO is there; Socket.IO is to be asked for */
  HEARD_READY,     /* the chat knows who we are */
  HEARD_JOINED,    /* the room was joined */
  HEARD_MESSAGE,   /* a message of ours has arrived: `stamp` */
  HEARD_STORED,    /* a message of ours is acknowledged: `stamp` */
  HEARD_GAP,       /* there was too much to be sent; it may be fetched */
  HEARD_PING,      /* Engine.IO's own */
  HEARD_REFUSAL,   /* a request was refused */
};

struct dialect {
  const char *name;
  const char *fields; /* of the upgrade */
  enum heard (*hear)(const char *text, size_t size, uint64_t *stamp);
  /* These write no more than MOST_SAID bytes, and return how many. */
  size_t (*join)(char *out, const char *room);
  size_t (*message)(char *out, const char *room, uint64_t stamp);
  /* Where the server names its rooms by ids: writes that of a room by its name, or returns 0. */
  size_t (*room_id)(char *out, const char *ready, size_t size, const char *name);
};

extern const struct dialect giechat, socket_io;

#endif
