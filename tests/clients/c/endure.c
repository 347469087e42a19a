/* What long-lived programs do to the library: `cycles`, `forks`, `readers`. Prints what went wrong; exit status 1 then. */
#include <dirent.h>
#include <nvml.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guarded.h"

#define READERS 8
#define FORKS 40
#define SETTINGS 200

static atomic_int stop;
static atomic_long rounds;

static int look(void)
{
    nvmlDevice_t device;
    unsigned char record[128];
    unsigned int count = 0, size = sizeof record;
    char uuid[96];
    int code = nvmlDeviceGetCount(&count);
    code = code ? code : (int)nvmlDeviceGetHandleByIndex(0, &device);
    code = code ? code : (int)nvmlDeviceGetUUID(device, uuid, sizeof uuid);
    return code ? code : (int)nvmlDeviceGetVgpuMetadata(device, (nvmlVgpuPgpuMetadata_t *)record, &size);
}

static unsigned int descriptors(void)
{
    unsigned int count = 0;
    DIR *listing = opendir("/proc/self/fd");
    while (readdir(listing) != NULL)
        count++;
    closedir(listing);
    return count;
}

/* Lines of /proc/self/maps, and the pages in memory. */
static unsigned int mappings(long *pages)
{
    char text[512];
    unsigned int count = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (fgets(text, sizeof text, maps) != NULL)
        count++;
    fclose(maps);
    FILE *numbers = fopen("/proc/self/statm", "re");
    CHECK(fscanf(numbers, "%*d %ld", pages) == 1);
    fclose(numbers);
    return count;
}

static void cycles(void)
{
    unsigned int descriptors_before = 0, mappings_before = 0;
    long pages_before = 0, pages_after;
    for (int cycle = 0; cycle < 1100; cycle++) {
        if (cycle == 100) {
            mappings(&pages_before); /* stdio's own buffers are there from now on */
            descriptors_before = descriptors();
            mappings_before = mappings(&pages_before);
        }
        ANSWERS(0, nvmlInit());
        ANSWERS(0, look());
        ANSWERS(0, nvmlShutdown());
        ANSWERS(1, look());
    }
    CHECK(mappings(&pages_after) == mappings_before);
    CHECK(descriptors() == descriptors_before);
    CHECK(pages_after <= pages_before + 4);
}

static void *look_on(void *unused)
{
    (void)unused;
    while (!atomic_load(&stop)) {
        ANSWERS(0, look());
        atomic_fetch_add(&rounds, 1);
    }
    return NULL;
}

/* A child that has what its parent had: it may go on, begin anew, and leave; and its parent never notices. */
static int child(void)
{
    alarm(20);
    failures = 0;
    ANSWERS(0, look());
    ANSWERS(0, nvmlInit());
    ANSWERS(0, look());
    ANSWERS(0, nvmlShutdown());
    ANSWERS(0, look());
    while (nvmlShutdown() == NVML_SUCCESS) /* another thread may have been between its init and its shutdown */
        ;
    ANSWERS(1, look());
    ANSWERS(0, nvmlInit());
    ANSWERS(0, look());
    fflush(stdout);
    return failures != 0;
}

static void *init_on(void *unused)
{
    (void)unused;
    while (!atomic_load(&stop)) {
        ANSWERS(0, nvmlInit());
        ANSWERS(0, look());
        ANSWERS(0, nvmlShutdown());
    }
    return NULL;
}

static void forks(void)
{
    pthread_t threads[READERS + 1];
    ANSWERS(0, nvmlInit());
    for (int i = 0; i < READERS; i++)
        pthread_create(&threads[i], NULL, look_on, NULL);
    pthread_create(&threads[READERS], NULL, init_on, NULL); /* holds the library's lock as often as it can */
    for (int i = 0; i < FORKS; i++) {
        int status = -1;
        pid_t pid = fork();
        if (pid == 0)
            _exit(child());
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i <= READERS; i++)
        pthread_join(threads[i], NULL);
    ANSWERS(0, nvmlShutdown());
    ANSWERS(1, nvmlShutdown());
}

/* Two ranges that have no end in common: what is neither was torn. */
static const nvmlVgpuVersion_t ranges[2] = {{0x70001, 0xA0001}, {0x100001, 0x140001}};

static int is_one(nvmlVgpuVersion_t seen)
{
    return memcmp(&seen, &ranges[0], sizeof seen) == 0 || memcmp(&seen, &ranges[1], sizeof seen) == 0;
}

static void *read_on(void *unused)
{
    (void)unused;
    nvmlDevice_t device;
    ANSWERS(0, nvmlDeviceGetHandleByIndex(0, &device));
    while (!atomic_load(&stop)) {
        nvmlVgpuVersion_t supported, current;
        nvmlVgpuPgpuMetadata_t record;
        unsigned int size = sizeof record;
        ANSWERS(0, nvmlGetVgpuVersion(&supported, &current));
        CHECK(is_one(current));
        ANSWERS(0, nvmlDeviceGetVgpuMetadata(device, &record, &size));
        CHECK(is_one(record.hostSupportedVgpuRange));
        atomic_fetch_add(&rounds, 1);
    }
    return NULL;
}

static void readers(void)
{
    const struct timespec pause = {.tv_nsec = 10000000}; /* a hundred times a second */
    pthread_t threads[READERS];
    ANSWERS(0, nvmlInit());
    ANSWERS(0, nvmlSetVgpuVersion((nvmlVgpuVersion_t *)(uintptr_t)&ranges[0]));
    for (int i = 0; i < READERS; i++)
        pthread_create(&threads[i], NULL, read_on, NULL);
    for (int i = 1; i <= SETTINGS; i++) {
        nvmlVgpuVersion_t wanted = ranges[i % 2], supported, current;
        ANSWERS(0, nvmlSetVgpuVersion(&wanted));
        ANSWERS(0, nvmlGetVgpuVersion(&supported, &current));
        CHECK(memcmp(&current, &wanted, sizeof current) == 0); /* seen at once by whoever set it */
        nanosleep(&pause, NULL);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    CHECK(atomic_load(&rounds) > SETTINGS);
    ANSWERS(0, nvmlShutdown());
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "cycles") == 0)
        cycles();
    else if (strcmp(what, "forks") == 0)
        forks();
    else
        readers();
    return failures != 0;
}
