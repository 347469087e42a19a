/* A client of the library that does what bytes say: any function with any arguments, but honest ones.

   Honest: a buffer is as long as its size says, to the byte, so that whatever the library touches beyond it is
   a finding of AddressSanitizer. Handles, sizes, counts, versions and contents are as wrong as the bytes like. */
#ifndef FUZZ_CLIENT_H
#define FUZZ_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct input {
    const uint8_t *at, *end;
};

/* The next so many bytes as a number; zeros follow the end. */
uint64_t take(struct input *input, unsigned bytes);
bool is_at_end(const struct input *input);

/* Learn names and records of the host in use, to make good arguments of. The library is initialised. */
void client_learn(void);
/* One call. `is_sane`: what it answers must be one of NVML's codes. */
void client_call(struct input *input, bool is_sane);
/* Initialise; and shut down as often as it was. */
int client_init(void);
void client_end(void);
/* Let the library see that its host is gone, and shut down: the next init attaches anew. */
void client_notice(void);

#endif
