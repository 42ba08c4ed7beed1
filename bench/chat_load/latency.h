/* How long things took: counted in classes of 10 µs, so that millions of values need no room. */
#ifndef LATENCY_H
#define LATENCY_H

#include <stdint.h>

#define LATENCY_CLASSES 2000000

struct latency {
  uint64_t count;
  uint64_t longest; /* µs */
  uint32_t *classes;
};

void latency_clear(struct latency *all);
void latency_add(struct latency *all, int64_t microseconds);

/* Within how many µs the given part of all values (0 to 1) was. */
double latency_at(const struct latency *all, double part);

#endif
