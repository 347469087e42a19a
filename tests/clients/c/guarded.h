/* Buffers that end, or begin, at a page nobody may touch, and checks that say where they failed. */
#ifndef GUARDED_H
#define GUARDED_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096u
#define PATTERN 0xA5

static int failures __attribute__((unused));

#define CHECK(condition)                                                            \
    do {                                                                            \
        if (!(condition)) {                                                         \
            failures++;                                                             \
            printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);          \
        }                                                                           \
    } while (0)

#define ANSWERS(code, call)                                                                          \
    do {                                                                                             \
        int answered = (int)(call);                                                                  \
        if (answered != (code)) {                                                                    \
            failures++;                                                                              \
            printf("%s:%d: %s answered %d, wanted %d\n", __FILE__, __LINE__, #call, answered, code); \
        }                                                                                            \
    } while (0)

/* `size` bytes of pattern between two forbidden pages; the last byte lies right before the second. */
static inline void *guarded(size_t size)
{
    size_t pages = (size + PAGE - 1) / PAGE;
    unsigned char *whole =
        mmap(NULL, (pages + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (whole == MAP_FAILED || (pages > 0 && mprotect(whole + PAGE, pages * PAGE, PROT_READ | PROT_WRITE) != 0)) {
        perror("guarded");
        exit(2);
    }
    memset(whole + PAGE, PATTERN, pages * PAGE);
    return whole + PAGE + pages * PAGE - size;
}

/* The same, but the first byte lies right behind the first forbidden page. */
static inline void *guarded_below(size_t size)
{
    unsigned char *end = guarded(size);
    size_t pages = (size + PAGE - 1) / PAGE;
    return end + size - pages * PAGE;
}

/* A copy that nobody may write to. */
static inline const void *frozen(const void *bytes, size_t size)
{
    unsigned char *copy = guarded(size);
    memcpy(copy, bytes, size);
    mprotect((void *)((uintptr_t)copy / PAGE * PAGE), PAGE, PROT_READ);
    return copy;
}

static inline int is_untouched(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        if (at[i] != PATTERN)
            return 0;
    return 1;
}

static inline void print_hex(const char *name, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    printf("%s ", name);
    for (size_t i = 0; i < size; i++)
        printf("%02x", at[i]);
    printf("\n");
}

#endif
