#include "latency.h"

#include <stdlib.h>
#include <string.h>

#define CLASS 10 /* µs */

void latency_clear(struct latency *all) {
  if (!all->classes) {
    all->classes = malloc(LATENCY_CLASSES * sizeof *all->classes);
    if (!all->classes) abort();
  }
  memset(all->classes, 0, LATENCY_CLASSES * sizeof *all->classes);
  all->count = all->longest = 0;
}

void latency_add(struct latency *all, int64_t microseconds) {
  uint64_t value = microseconds > 0 ? (uint64_t)microseconds : 0;
  uint64_t number = value / CLASS;
  all->classes[number < LATENCY_CLASSES ? number : LATENCY_CLASSES - 1]++;
  all->count++;
  if (value > all->longest) all->longest = value;
}

double latency_at(const struct latency *all, double part) {
  uint64_t wanted = (uint64_t)((double)all->count * part), seen = 0;
  if (!all->count) return 0;
  for (uint32_t number = 0; number < LATENCY_CLASSES; number++) {
    seen += all->classes[number];
    if (seen > wanted) return (number + 0.5) * CLASS;
  }
  return (double)all->longest;
}
