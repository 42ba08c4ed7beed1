#define _GNU_SOURCE
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AT_ONCE (256 * 1024)

/* One for all: what is left of a frame is kept by the client, the rest is read here. */
static char room[AT_ONCE + 64 * 1024];

static char *grown(char *memory, uint32_t *size, uint32_t wanted) {
  if (wanted <= *size) return memory;
  *size = wanted;
  memory = realloc(memory, wanted);
  if (!memory) abort();
  return memory;
}

int client_connect(struct client *client, int port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int one = 1;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  memset(client, 0, sizeof *client);
  client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (client->fd < 0) return -1;
  setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(client->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) {
    client_end(client);
    return -1;
  }
  client->state = CONNECTING;
  return 0;
}

static void client_write(struct client *client, const char *bytes, size_t size) {
  ssize_t done = 0;
  if (client->state == ENDED) return;
  if (!client->unsent) {
    done = send(client->fd, bytes, size, MSG_NOSIGNAL);
    if (done < 0) {
      if (errno != EAGAIN) {
        client_end(client);
        return;
      }
      done = 0;
    }
  }
  size -= (size_t)done;
  if (!size) return;
  client->out = grown(client->out, &client->unsent_room, client->unsent + (uint32_t)size);
  memcpy(client->out + client->unsent, bytes + done, size);
  client->unsent += (uint32_t)size;
}

void client_upgrade(struct client *client, const char *head, size_t size) {
  client->state = UPGRADING;
  client_write(client, head, size);
}

void client_send(struct client *client, int opcode, const char *payload, size_t size) {
  static uint32_t key = 0x9e3779b9u;
  char frame[size + 14], *out = frame;
  const unsigned char *mask = (const unsigned char *)&key;
  key = key * 1664525u + 1013904223u;
  *out++ = (char)(0x80 | opcode);
  if (size < 126) {
    *out++ = (char)(0x80 | size);
  } else {
    *out++ = (char)(0x80 | 126);
    *out++ = (char)(size >> 8);
    *out++ = (char)size;
  }
  memcpy(out, mask, 4);
  out += 4;
  for (size_t i = 0; i < size; i++) *out++ = (char)(payload[i] ^ mask[i & 3]);
  client_write(client, frame, (size_t)(out - frame));
}

void client_flush(struct client *client) {
  ssize_t done = send(client->fd, client->out, client->unsent, MSG_NOSIGNAL);
  if (done < 0) {
    if (errno != EAGAIN) client_end(client);
    return;
  }
  client->unsent -= (uint32_t)done;
  memmove(client->out, client->out + done, client->unsent);
}

/* Takes the answer to the upgrade off; NULL: it is not complete, or refused. */
static const char *after_head(struct client *client, const char *from, const char *end) {
  const char *head_end = memmem(from, (size_t)(end - from), "\r\n\r\n", 4);
  if (!head_end) return NULL;
  if (end - from < 12 || memcmp(from, "HTTP/1.1 101", 12)) {
    fprintf(stderr, "the upgrade was answered with: %.*s\n", (int)(head_end - from), from);
    client_end(client);
    return NULL;
  }
  client->state = UPGRADED;
  return head_end + 4;
}

/* Hears whole frames; returns where the first incomplete one begins. */
static const char *frames(struct client *client, const char *from, const char *end,
                          on_frame *hear) {
  while (end - from >= 2) {
    const unsigned char *head = (const unsigned char *)from;
    uint64_t size = head[1] & 0x7f;
    size_t before = 2;
    if (size == 126) {
      before = 4;
      if (end - from < 4) break;
      size = (uint64_t)head[2] << 8 | head[3];
    } else if (size == 127) {
      before = 10;
      if (end - from < 10) break;
      size = 0;
      for (int i = 2; i < 10; i++) size = size << 8 | head[i];
    }
    if ((uint64_t)(end - from) < before + size) break;
    if ((head[0] & 0x0f) == CLOSE_FRAME && size >= 2)
      client->close_code = (uint16_t)(head[before] << 8 | head[before + 1]);
    hear(client, head[0] & 0x0f, from + before, size);
    if (client->state == ENDED) return end;
    from += before + size;
  }
  return from;
}

void client_read(struct client *client, on_frame *hear) {
  const char *from = room, *end;
  ssize_t got;
  if (client->kept > sizeof room - AT_ONCE) {
    fprintf(stderr, "a frame is longer than anything that is expected here\n");
    client_end(client);
    return;
  }
  memcpy(room, client->in, client->kept);
  got = recv(client->fd, room + client->kept, AT_ONCE, 0);
  if (got <= 0) {
    if (!got || errno != EAGAIN) client_end(client);
    return;
  }
  end = room + client->kept + got;
  if (client->state == UPGRADING) {
    const char *rest = after_head(client, from, end);
    if (client->state == ENDED) return;
    from = rest ? rest : from;
  }
  if (client->state == UPGRADED) from = frames(client, from, end, hear);
  if (client->state == ENDED) return;
  client->kept = (uint32_t)(end - from);
  client->in = grown(client->in, &client->kept_room, client->kept);
  memcpy(client->in, from, client->kept);
}

void client_end(struct client *client) {
  if (client->fd >= 0) close(client->fd);
  free(client->in);
  free(client->out);
  client->fd = -1;
  client->state = ENDED;
  client->kept = client->unsent = client->kept_room = client->unsent_room = 0;
  client->in = client->out = NULL;
}
