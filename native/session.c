/* Attaching to a host and letting go of it. Everything that changes the session lives here, under one mutex;
   readers take no lock.

   The snapshot is always mapped at the same place, which is reserved once: a new host's snapshot replaces the old
   one there, in one step. So a thread that still reads the old one reads wrong bytes, which the generation
   tells, but never memory that is not there. */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire.h"

#define PAGE 4096u
#define RESERVED (64u << 20) /* a snapshot is at most this long */
#define COUNTERS_SIZE (VGM_COUNTERS * sizeof(uint64_t))

atomic_uint vgm_initialisations;
_Atomic(struct vgm_view *) vgm_current;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned char *reserved; /* RESERVED bytes for a snapshot and a page for the counters */

static void lock(void)
{
    pthread_mutex_lock(&mutex);
}

static void unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

/* A child keeps the mapping and the count; the mutex must not stay locked by a thread that it does not have. */
__attribute__((constructor)) static void at_load(void)
{
    pthread_atfork(lock, unlock, unlock);
}

/* Memory that reads as zeros, at a place or anywhere. */
static void *map_zeros(void *place, size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (place != NULL ? MAP_FIXED : 0);
    void *mapped = mmap(place, size, PROT_READ, flags, -1, 0);
    return mapped == MAP_FAILED ? NULL : mapped;
}

/* The size of a piece of shared memory that can neither shrink under a reader nor lose that promise. */
static size_t sealed_size(int descriptor)
{
    struct stat status;
    int seals = fcntl(descriptor, F_GET_SEALS);
    if (seals < 0 || (seals & (F_SEAL_SHRINK | F_SEAL_SEAL)) != (F_SEAL_SHRINK | F_SEAL_SEAL))
        return 0;
    if (fstat(descriptor, &status) != 0 || status.st_size < 0 || (uint64_t)status.st_size > RESERVED)
        return 0;
    return (size_t)status.st_size;
}

static bool map_descriptors(const int descriptors[2], struct vgm_view *view)
{
    size_t size = sealed_size(descriptors[0]);
    if (size < sizeof(struct vgm_header) || sealed_size(descriptors[1]) < COUNTERS_SIZE)
        return false;
    if (reserved == NULL)
        reserved = map_zeros(NULL, RESERVED + PAGE);
    if (reserved == NULL)
        return false;
    size_t pages = (size + PAGE - 1) / PAGE * PAGE;
    if (mmap(reserved, pages, PROT_READ, MAP_SHARED | MAP_FIXED, descriptors[0], 0) == MAP_FAILED)
        return false;
    if (pages < RESERVED && map_zeros(reserved + pages, RESERVED - pages) == NULL)
        return false;
    void *counters = reserved + RESERVED;
    if (mmap(counters, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptors[1], 0) == MAP_FAILED)
        return false;
    view->base = reserved;
    view->size = size;
    view->counters = counters;
    return true;
}

static bool check_header(struct vgm_view *view)
{
    struct vgm_header header;
    memcpy(&header, view->base, sizeof header);
    if (memcmp(header.magic, VGM_MAGIC, sizeof header.magic) != 0 || header.layout_version != VGM_LAYOUT_VERSION ||
        header.header_size != sizeof header || header.total_size > view->size ||
        header.total_size < sizeof header || header.slot_size < sizeof(struct vgm_host))
        return false;
    view->size = header.total_size;
    view->header = (const struct vgm_header *)view->base;
    view->slot_offset[0] = header.slot_offset[0];
    view->slot_offset[1] = header.slot_offset[1];
    view->fixed = VGM_AT(view, header.static_offset, 1, struct vgm_static);
    return view->fixed != NULL && header.static_size >= sizeof *view->fixed &&
           VGM_AT(view, header.slot_offset[0], header.slot_size / 8, uint64_t) != NULL &&
           VGM_AT(view, header.slot_offset[1], header.slot_size / 8, uint64_t) != NULL;
}

static bool check_static(struct vgm_view *view)
{
    struct vgm_static fixed;
    memcpy(&fixed, view->fixed, sizeof fixed);
    view->types = VGM_AT(view, fixed.types_offset, fixed.types_count, struct vgm_type);
    view->words = VGM_AT(view, fixed.words_offset, fixed.words_count, struct vgm_word);
    view->rules = VGM_AT(view, fixed.rules_offset, fixed.rules_count, struct vgm_rule);
    view->comparisons = VGM_AT(view, fixed.comparisons_offset, fixed.comparisons_count, struct vgm_comparison);
    view->pool = VGM_AT(view, fixed.pool_offset, fixed.pool_count, uint32_t);
    view->types_count = fixed.types_count;
    view->words_count = fixed.words_count;
    view->rules_count = fixed.rules_count;
    view->comparisons_count = fixed.comparisons_count;
    view->pool_count = fixed.pool_count;
    view->boards_count = fixed.boards_count;
    view->vgpu_magic = fixed.vgpu_magic;
    view->pgpu_magic = fixed.pgpu_magic;
    view->record_version = fixed.record_version;
    return view->types != NULL && view->words != NULL && view->rules != NULL && view->comparisons != NULL &&
           view->pool != NULL;
}

/* Why there is no host, for whoever asks by VGPU_MIGRATE_EXPLAIN: the code alone never says. */
static nvmlReturn_t not_loaded(const char *path, const char *why)
{
    const char *wish = secure_getenv("VGPU_MIGRATE_EXPLAIN");
    if (wish != NULL && wish[0] != '\0')
        fprintf(stderr, "libnvidia-ml.so.1 of vgpu-migrate: VGPU_MIGRATE_HOST%s%s: %s\n", path != NULL ? "=" : "",
                path != NULL ? path : "", why);
    return NVML_ERROR_DRIVER_NOT_LOADED;
}

static nvmlReturn_t attach(void)
{
    struct stat place;
    int descriptors[2];
    const char *path = vgm_host_path();
    if (path == NULL)
        return not_loaded(path, "not set; it names the socket of a simulated host");
    if (stat(path, &place) != 0)
        return not_loaded(path, strerror(errno));
    nvmlReturn_t code = vgm_ask_descriptors(path, descriptors);
    if (code != NVML_SUCCESS) {
        not_loaded(path, "no host answered there");
        return code;
    }
    struct vgm_view *view = calloc(1, sizeof *view);
    struct vgm_view *older = atomic_load(&vgm_current);
    if (older != NULL)
        atomic_store(&older->lost, true); /* its memory is about to be another's */
    bool is_good = view != NULL && (view->path = realpath(path, NULL)) != NULL &&
                   map_descriptors(descriptors, view) && check_header(view) && check_static(view);
    close(descriptors[0]);
    close(descriptors[1]);
    if (!is_good || !vgm_is_alive(view)) {
        if (view != NULL)
            free(view->path);
        free(view);
        return not_loaded(path, is_good ? "the host there has just ended or stands still"
                                        : "the host there is of another version than this library, or is none");
    }
    view->device = place.st_dev;
    view->inode = place.st_ino;
    view->changed = place.st_ctim;
    view->older = older;
    atomic_store(&vgm_current, view);
    return NVML_SUCCESS;
}

/* Whether the host that the environment names is the one attached to. */
static bool is_same_host(const struct vgm_view *view)
{
    struct stat place;
    const char *path = vgm_host_path();
    return path != NULL && stat(path, &place) == 0 && place.st_dev == view->device && place.st_ino == view->inode &&
           place.st_ctim.tv_sec == view->changed.tv_sec && place.st_ctim.tv_nsec == view->changed.tv_nsec;
}

nvmlReturn_t vgm_session_open(void)
{
    lock();
    struct vgm_view *view = atomic_load(&vgm_current);
    bool is_first = atomic_load(&vgm_initialisations) == 0;
    nvmlReturn_t code = NVML_SUCCESS;
    if (view == NULL || !vgm_is_alive(view) || (is_first && !is_same_host(view)))
        code = attach();
    if (code == NVML_SUCCESS)
        atomic_fetch_add(&vgm_initialisations, 1);
    unlock();
    return code;
}

nvmlReturn_t vgm_session_close(void)
{
    lock();
    bool is_open = atomic_load(&vgm_initialisations) > 0;
    if (is_open)
        atomic_fetch_sub(&vgm_initialisations, 1);
    unlock();
    return is_open ? NVML_SUCCESS : NVML_ERROR_UNINITIALIZED;
}
