/* One WebSocket to a chat (RFC 6455), without waiting for anything. */
#ifndef CLIENT_H
#define CLIENT_H

#include <stddef.h>
#include <stdint.h>

enum state { ENDED, CONNECTING, UPGRADING, UPGRADED };

struct client {
  int fd;
  enum state state;
  uint16_t close_code; /* that the server has sent; 0: none */
  uint8_t waits;       /* for room to write */
  uint32_t kept, kept_room, unsent, unsent_room;
  char *in, *out; /* a frame that is not complete yet; what could not be sent yet */
};

enum { TEXT_FRAME = 1, CLOSE_FRAME = 8, PING_FRAME = 9, PONG_FRAME = 10 };

/* What is done with the frames that arrive. */
typedef void on_frame(struct client *from, int opcode, const char *payload, size_t size);

/* Begins to connect to a port of 127.0.0.1; 0, or -1 with errno. */
int client_connect(struct client *client, int port);

/* When connected: sends the upgrade. */
void client_upgrade(struct client *client, const char *head, size_t size);

void client_send(struct client *client, int opcode, const char *payload, size_t size);

/* Sends what has been waiting for room. */
void client_flush(struct client *client);

/* Reads what there is; ends the client where the server has, or has refused the upgrade. */
void client_read(struct client *client, on_frame *hear);

void client_end(struct client *client);

#endif
