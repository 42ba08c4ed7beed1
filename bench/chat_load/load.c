/* Puts load on a chat: many WebSockets in one room, in one thread.

     load DIALECT PORT PATH HOST ROOM COOKIES

   DIALECT is giechat or socket.io, COOKIES a file with one galaxysession per line, for one client
   after the other. Commands come as lines on standard input, and each is answered with one line of
   JSON; what goes wrong is said on standard error, and ends the program.

     open N             open so many more; ready when the chat knows them all
     join               join the room with all of them
     run RATE SECONDS   say RATE messages a second, one client after the other, each when it is due
                        whatever happened to those before; a latency is from that moment on
     ping               ask all clients' connections for a pong
     close              end all of them */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "dialect.h"
#include "latency.h"

#define MOST_CLIENTS 16384
#define MOST_COOKIES 16384
#define EVENTS 512

#define SECOND INT64_C(1000000000)
#define UNDER_WAY 32             /* handshakes and joins at once: Twisted lets 50 wait */
#define PATIENCE (60 * SECOND)   /* for any of them */
#define WARM_UP (SECOND / 2)     /* of a run; it is not counted */
#define COLLECTED (SECOND / 4)   /* after a run; what comes later was not delivered */
#define SILENCE (5 * SECOND)     /* then nothing more will come */
#define OVERLOAD (30 * SECOND)   /* the longest wait for what is on its way after a run */

static const struct dialect *dialect;
static int port, epoll;
static char upgrade[1024], room[256];
static const char *room_name;
static char *cookies[MOST_COOKIES];
static int cookie_count;

static struct client clients[MOST_CLIENTS];
static int opened, ready, joined, ended, pongs, line_waits, closing;

static struct {
  uint64_t from, measured, until; /* stamps: all of them, those that are counted */
  int64_t collected;              /* until when, ns */
  int64_t sent, arrived, counted, stored, refused, gaps;
  int64_t latest; /* that something was sent after it was due, ns */
  struct latency delivered, acknowledged;
} run;

static int64_t now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * SECOND + at.tv_nsec;
}

static int64_t read_at; /* when the frames were read that are heard now */

static void fail(const char *what) {
  fprintf(stderr, "load: %s\n", what);
  exit(1);
}

/* What clients hear. */

static void count_message(uint64_t stamp) {
  if (stamp < run.from) return; /* of a run before */
  run.arrived++;
  if (stamp < run.measured || stamp >= run.until || read_at > run.collected) return;
  run.counted++;
  latency_add(&run.delivered, read_at / 1000 - (int64_t)stamp);
}

static void count_stored(uint64_t stamp) {
  if (stamp < run.measured || stamp >= run.until) return;
  run.stored++;
  latency_add(&run.acknowledged, read_at / 1000 - (int64_t)stamp);
}

static void hear_text(struct client *from, const char *text, size_t size) {
  uint64_t stamp = 0;
  switch (dialect->hear(text, size, &stamp)) {
    case HEARD_MESSAGE:
      count_message(stamp);
      break;
    case HEARD_STORED:
      count_stored(stamp);
      break;
    case HEARD_OPEN:
      client_send(from, TEXT_FRAME, "40/chat,", 8);
      break;
    case HEARD_READY:
      if (!ready++ && dialect->room_id && !dialect->room_id(room, text, size, room_name)) {
        fprintf(stderr, "%.*s\n", (int)size, text);
        fail("the chat does not have that room");
      }
      break;
    case HEARD_JOINED:
      joined++;
      break;
    case HEARD_GAP:
      run.gaps++;
      break;
    case HEARD_PING:
      client_send(from, TEXT_FRAME, "3", 1);
      break;
    case HEARD_REFUSAL:
      if (!run.refused++) fprintf(stderr, "refused: %.*s\n", (int)size, text);
      break;
    case HEARD_NOTHING:
      break;
  }
}

static void hear(struct client *from, int opcode, const char *payload, size_t size) {
  if (opcode == TEXT_FRAME) hear_text(from, payload, size);
  if (opcode == PING_FRAME) client_send(from, PONG_FRAME, payload, size);
  if (opcode == PONG_FRAME) pongs++;
  if (opcode == CLOSE_FRAME) {
    if (!closing) client_send(from, CLOSE_FRAME, payload, size < 2 ? 0 : 2);
    client_end(from);
  }
}

/* The turning wheel. */

static void watch(struct client *client, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = client};
  if (epoll_ctl(epoll, operation, client->fd, &event)) fail(strerror(errno));
}

static void after(struct client *client) {
  int waits = client->unsent > 0;
  if (client->state == ENDED) {
    ended++;
  } else if (waits != client->waits) {
    watch(client, EPOLL_CTL_MOD, EPOLLIN | (waits ? EPOLLOUT : 0));
    client->waits = (uint8_t)waits;
  }
}

static void begin_upgrade(struct client *client) {
  char head[2048];
  int size = snprintf(head, sizeof head, "%sCookie: galaxysession=%s\r\n\r\n", upgrade,
                      cookies[(client - clients) % cookie_count]);
  watch(client, EPOLL_CTL_MOD, EPOLLIN);
  client_upgrade(client, head, (size_t)size);
}

static void attend(struct client *client, uint32_t events) {
  if (client->state == ENDED) return; /* by an event of the same turn */
  if (client->state == CONNECTING) {
    if (events & (EPOLLERR | EPOLLHUP)) fail("a connection was refused");
    begin_upgrade(client);
  } else {
    if (events & EPOLLOUT) client_flush(client);
    if (client->state != ENDED && events & ~(uint32_t)EPOLLOUT) {
      read_at = now();
      client_read(client, hear);
    }
  }
  after(client);
}

/* Waits for something to happen, no longer than until then. */
static void turn(int64_t until) {
  struct epoll_event events[EVENTS];
  int64_t left = until - now();
  struct timespec wait = {0, 0};
  if (left > 0) wait = (struct timespec){left / SECOND, left % SECOND};
  int count = epoll_pwait2(epoll, events, EVENTS, &wait, NULL);
  for (int i = 0; i < count; i++) {
    if (events[i].data.ptr)
      attend(events[i].data.ptr, events[i].events);
    else
      line_waits = 1;
  }
}

/* Turns until there are so many, no more than UNDER_WAY behind `begun`. */
static void until(const int *count, int wanted, const char *what) {
  int64_t deadline = now() + PATIENCE;
  int before = ended;
  while (*count < wanted) {
    turn(deadline);
    if (ended > before) {
      for (int i = 0; i < opened; i++)
        if (clients[i].close_code) fprintf(stderr, "closed with %d\n", clients[i].close_code);
      fail("a client was closed");
    }
    if (now() > deadline || run.refused) {
      fprintf(stderr, "%d of %d\n", *count, wanted);
      fail(what);
    }
  }
}

/* The commands. */

static void open_clients(int count) {
  int64_t began = now();
  run.refused = 0;
  if (opened + count > MOST_CLIENTS) fail("too many clients");
  while (count--) {
    struct client *client = &clients[opened];
    if (client_connect(client, port)) fail(strerror(errno));
    watch(client, EPOLL_CTL_ADD, EPOLLOUT);
    opened++;
    until(&ready, opened - UNDER_WAY + 1, "the chat does not greet its clients");
  }
  until(&ready, opened, "the chat does not greet its clients");
  printf("{\"seconds\": %.4f}\n", (double)(now() - began) / SECOND);
}

static void join(void) {
  char text[MOST_SAID];
  int64_t began = now();
  size_t size = dialect->join(text, room);
  for (int i = joined; i < opened; i++) {
    client_send(&clients[i], TEXT_FRAME, text, size);
    after(&clients[i]);
    until(&joined, i - UNDER_WAY + 1, "the room can't be joined");
  }
  until(&joined, opened, "the room can't be joined");
  printf("{\"seconds\": %.4f}\n", (double)(now() - began) / SECOND);
}

static void speak(int64_t due) {
  char text[MOST_SAID];
  struct client *client = &clients[run.sent++ % opened];
  size_t size = dialect->message(text, room, (uint64_t)(due / 1000));
  if (now() - due > run.latest) run.latest = now() - due;
  if (client->state == ENDED) return;
  client_send(client, TEXT_FRAME, text, size);
  after(client);
}

/* Until everything has arrived, or nothing more does. */
static void drain(int64_t expected) {
  int64_t deadline = now() + OVERLOAD, heard = run.arrived, quiet = now() + SILENCE;
  while (run.arrived < expected && now() < deadline && now() < quiet) {
    turn(quiet);
    if (run.arrived > heard) quiet = now() + SILENCE;
    heard = run.arrived;
  }
}

static double cpu(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void speak_at(double rate, double seconds) {
  int64_t began = now() + SECOND / 100, measured = began + WARM_UP;
  int64_t end = measured + (int64_t)(seconds * SECOND), count = 0, expected;
  double cpu_before = cpu(), cpu_used;
  int before = ended;
  memset(&run, 0, offsetof(__typeof__(run), delivered));
  latency_clear(&run.delivered);
  latency_clear(&run.acknowledged);
  run.from = (uint64_t)(began / 1000);
  run.measured = (uint64_t)(measured / 1000);
  run.until = (uint64_t)(end / 1000);
  run.collected = end + COLLECTED;
  for (;;) {
    int64_t due = began + (int64_t)((double)run.sent / rate * SECOND);
    if (due >= end) break;
    if (due > now()) {
      turn(due);
      continue;
    }
    count += due / 1000 >= (int64_t)run.measured;
    speak(due);
    /* What arrives must not wait until all is said that is overdue. */
    turn(0);
  }
  expected = run.sent * opened;
  cpu_used = (cpu() - cpu_before) / ((double)(now() - began) / SECOND);
  while (run.arrived < expected && now() < run.collected) turn(run.collected);
  drain(expected);
  printf("{\"all\": %" PRId64 ", \"sent\": %" PRId64 ", \"expected\": %" PRId64 ", \"delivered\": %" PRId64
         ", \"p50\": %.0f, \"p99\": %.0f, \"longest\": %" PRIu64 ", \"stored\": %" PRId64
         ", \"stored_p50\": %.0f, \"stored_p99\": %.0f, \"refused\": %" PRId64
         ", \"missing\": %" PRId64 ", \"gaps\": %" PRId64 ", \"ended\": %d, \"cpu\": %.3f, \"late\": %" PRId64 "}\n",
         run.arrived, count, count * opened, run.counted, latency_at(&run.delivered, 0.5),
         latency_at(&run.delivered, 0.99), run.delivered.longest, run.stored,
         latency_at(&run.acknowledged, 0.5), latency_at(&run.acknowledged, 0.99), run.refused,
         expected - run.arrived, run.gaps, ended - before, cpu_used, run.latest / 1000);
}

static void ping(void) {
  int64_t deadline = now() + PATIENCE;
  int before = ended;
  pongs = 0;
  for (int i = 0; i < opened; i++) {
    if (clients[i].state != UPGRADED) continue;
    client_send(&clients[i], PING_FRAME, "?", 1);
    after(&clients[i]);
    turn(0);
  }
  while (pongs < opened - ended && now() < deadline) turn(deadline);
  printf("{\"answered\": %d, \"ended\": %d}\n", pongs, ended - before);
}

static void close_clients(void) {
  int64_t deadline = now() + 10 * SECOND;
  closing = 1;
  for (int i = 0; i < opened; i++)
    if (clients[i].state == UPGRADED) {
      client_send(&clients[i], CLOSE_FRAME, "\x03\xe8", 2);
      after(&clients[i]);
    }
  while (ended < opened && now() < deadline) turn(deadline);
  for (int i = 0; i < opened; i++)
    if (clients[i].state != ENDED) client_end(&clients[i]);
  printf("{\"asked\": %d}\n", opened - ended);
  opened = ready = joined = ended = closing = 0;
}

static void obey(char *line) {
  char *word = strtok(line, " \n"), *first = strtok(NULL, " \n"), *second = strtok(NULL, " \n");
  if (!word) return;
  if (!strcmp(word, "open") && first)
    open_clients(atoi(first));
  else if (!strcmp(word, "join"))
    join();
  else if (!strcmp(word, "run") && first && second)
    speak_at(atof(first), atof(second));
  else if (!strcmp(word, "ping"))
    ping();
  else if (!strcmp(word, "close"))
    close_clients();
  else
    fail("no such command");
  fflush(stdout);
}

static void read_cookies(const char *path) {
  char line[512];
  FILE *file = fopen(path, "r");
  if (!file) fail("the cookies can't be read");
  while (cookie_count < MOST_COOKIES && fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    cookies[cookie_count++] = strdup(line);
  }
  fclose(file);
  if (!cookie_count) fail("there are no cookies");
}

int main(int count, char **arguments) {
  struct epoll_event commands = {.events = EPOLLIN};
  char line[256];
  if (count != 7) fail("usage: load DIALECT PORT PATH HOST ROOM COOKIES");
  dialect = !strcmp(arguments[1], socket_io.name) ? &socket_io : &giechat;
  port = atoi(arguments[2]);
  room_name = arguments[5];
  snprintf(room, sizeof room, "%s", room_name);
  snprintf(upgrade, sizeof upgrade,
           "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n%s",
           arguments[3], arguments[4], dialect->fields);
  read_cookies(arguments[6]);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &commands)) fail("standard input is a file");
  setvbuf(stdin, NULL, _IONBF, 0);
  for (;;) {
    line_waits = 0;
    while (!line_waits) turn(now() + SECOND);
    if (!fgets(line, sizeof line, stdin)) return 0;
    obey(line);
  }
}
