/* The host's snapshot as mapped into this process: where everything lies, and whether the host still lives. */
#ifndef VGM_VIEW_H
#define VGM_VIEW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "layout.h"
#include "nvml_abi.h"
#include "symbols.h"

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* A number of the snapshot, read exactly once: what was checked is what is used. */
#define ONCE(place) (*(const volatile __typeof__(place) *)&(place))

/* Where everything lies in an attached snapshot. Filled and checked at attach, never changed after it but `lost`,
   never freed: a thread may still read by it while another attaches anew. */
struct vgm_view {
    struct vgm_view *older;
    const unsigned char *base;
    uint64_t size;
    const struct vgm_header *header;
    uint64_t slot_offset[2];
    const struct vgm_static *fixed;
    const struct vgm_type *types;
    const struct vgm_word *words;
    const struct vgm_rule *rules;
    const struct vgm_comparison *comparisons;
    const uint32_t *pool;
    uint32_t types_count, words_count, rules_count, comparisons_count, pool_count, boards_count;
    uint32_t vgpu_magic, pgpu_magic, record_version;
    atomic_ullong *counters; /* VGM_COUNTERS of them */
    char *path;              /* where the host listens, whatever directory and environment are by then */
    dev_t device;            /* device, inode and change of the host's socket when attached */
    ino_t inode;
    struct timespec changed;
    atomic_bool lost; /* latched: the host was seen gone */
};

/* `count` things of `size` bytes at `offset` of the snapshot; NULL unless all of them lie inside it. */
static inline const void *vgm_at(const struct vgm_view *view, uint64_t offset, uint64_t count, size_t size,
                                 size_t alignment)
{
    if (UNLIKELY(offset > view->size || offset % alignment != 0 || count > (view->size - offset) / size))
        return NULL;
    return view->base + offset;
}

#define VGM_AT(view, offset, count, type) ((const type *)vgm_at(view, offset, count, sizeof(type), _Alignof(type)))

/* The heartbeat's clock, in milliseconds. */
static inline uint64_t vgm_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* Whether the host still lives. A heartbeat too far ahead is nonsense, which is as good as none. */
static inline bool vgm_is_alive(struct vgm_view *view)
{
    if (UNLIKELY(atomic_load_explicit(&view->lost, memory_order_relaxed)))
        return false;
    uint64_t age = vgm_now_ms() - ONCE(view->header->heartbeat_ms);
    if (LIKELY(age + VGM_HEARTBEAT_LIMIT_MS <= 2 * VGM_HEARTBEAT_LIMIT_MS && !ONCE(view->header->gone)))
        return true;
    atomic_store_explicit(&view->lost, true, memory_order_relaxed);
    return false;
}

#endif
