/* What the drop-in library costs a C program. Told what to measure; prints a line per figure: name, numbers.

       calls N       N single calls of each function: median, 99th percentile and mean, in nanoseconds
       start         the first init of this process, in nanoseconds
       round N       N times init, enumerate all gpus, shutdown: median and 99th percentile
       publish       set persistence mode 100 times a second until killed
       seen N        N times: one process sets, another sees it: median and 99th percentile, from the setter's call
       memory        bytes of this process more than before it loaded the library: resident, proportional, private

   Single calls are timed by the time-stamp counter, whose own cost, measured in the same run, is taken off and
   printed; that of any clock is about that of a call, and on some machines the counter's step is too. The mean is
   over one more loop without readings in between. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct nvmlDevice_st *device_t;

#define FUNCTIONS(X)                                                        \
    X(nvmlInit_v2, (void))                                                  \
    X(nvmlShutdown, (void))                                                 \
    X(nvmlDeviceGetCount_v2, (unsigned int *))                              \
    X(nvmlDeviceGetHandleByIndex_v2, (unsigned int, device_t *))            \
    X(nvmlDeviceGetName, (device_t, char *, unsigned int))                  \
    X(nvmlDeviceGetUUID, (device_t, char *, unsigned int))                  \
    X(nvmlDeviceGetMemoryInfo, (device_t, void *))                          \
    X(nvmlDeviceGetUtilizationRates, (device_t, void *))                    \
    X(nvmlDeviceGetTemperature, (device_t, int, unsigned int *))            \
    X(nvmlDeviceGetPowerUsage, (device_t, unsigned int *))                  \
    X(nvmlDeviceGetPciInfo_v3, (device_t, void *))                          \
    X(nvmlDeviceGetPersistenceMode, (device_t, int *))                      \
    X(nvmlDeviceSetPersistenceMode, (device_t, int))                        \
    X(nvmlDeviceGetActiveVgpus, (device_t, unsigned int *, unsigned int *)) \
    X(nvmlVgpuInstanceGetVmID, (unsigned int, char *, unsigned int, int *)) \
    X(nvmlVgpuInstanceGetType, (unsigned int, unsigned int *))              \
    X(nvmlVgpuInstanceGetFbUsage, (unsigned int, unsigned long long *))     \
    X(nvmlVgpuInstanceGetMetadata, (unsigned int, void *, unsigned int *))  \
    X(nvmlDeviceGetVgpuMetadata, (device_t, void *, unsigned int *))        \
    X(nvmlGetVgpuCompatibility, (void *, void *, void *))                   \
    X(nvmlGetVgpuVersion, (void *, void *))

#define POINTER(name, arguments) static int (*name) arguments;
FUNCTIONS(POINTER)

static device_t device;
static unsigned int instance;

static void must(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
}

static void load(void)
{
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    must(library != NULL, "dlopen");
#define FIND(name, arguments)                       \
    *(void **)(&name) = dlsym(library, #name);      \
    must(name != NULL, #name);
    FUNCTIONS(FIND)
}

static void begin(void)
{
    unsigned int count = 64, handles[64];
    must(nvmlInit_v2() == 0, "init");
    must(nvmlDeviceGetHandleByIndex_v2(0, &device) == 0, "handle");
    must(nvmlDeviceGetActiveVgpus(device, &count, handles) == 0 && count > 0, "a vgpu on gpu 0");
    instance = handles[0];
}

static uint64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#if defined(__x86_64__)
#include <x86intrin.h>
static inline uint64_t before(void)
{
    _mm_lfence();
    return __rdtsc();
}
static inline uint64_t after(void)
{
    unsigned int core;
    uint64_t now = __rdtscp(&core);
    _mm_lfence();
    return now;
}
#else
static inline uint64_t before(void)
{
    return nanoseconds();
}
static inline uint64_t after(void)
{
    return nanoseconds();
}
#endif

static double nanoseconds_per_tick(void)
{
    const struct timespec pause = {.tv_nsec = 200000000};
    uint64_t ticks = before(), start = nanoseconds();
    nanosleep(&pause, NULL);
    return (double)(nanoseconds() - start) / (double)(after() - ticks);
}

static int by_size(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* As the library's calls are: behind a pointer, so that the compiler cannot leave it out. */
static int copy_bytes(void *to, const void *from)
{
    memcpy(to, from, 128);
    return 0;
}
static int (*volatile copy_128)(void *, const void *) = copy_bytes;

static double own_cost; /* of the two readings of the counter, in ticks */

static void print_calls(const char *name, uint64_t *ticks, size_t count, double scale, double mean)
{
    qsort(ticks, count, sizeof *ticks, by_size);
    double median = (double)ticks[count / 2] - own_cost, tail = (double)ticks[count / 100 * 99] - own_cost;
    printf("%s %.2f %.2f %.2f\n", name, (median < 0 ? 0 : median) * scale, (tail < 0 ? 0 : tail) * scale, mean);
}

/* Every call must succeed: one that is refused at once would look fast. */
#define TIME(name, call)                                                                          \
    do {                                                                                          \
        int code = 0;                                                                             \
        for (size_t i = 0; i < 1000; i++)                                                         \
            code |= (call);                                                                       \
        for (size_t i = 0; i < count; i++) {                                                      \
            uint64_t start = before();                                                            \
            int answered = (call);                                                                \
            ticks[i] = after() - start;                                                           \
            code |= answered;                                                                     \
        }                                                                                         \
        uint64_t whole = nanoseconds();                                                           \
        for (size_t i = 0; i < count; i++)                                                        \
            code |= (call);                                                                       \
        double mean = (double)(nanoseconds() - whole) / (double)count;                            \
        must(code == 0, name);                                                                    \
        print_calls(name, ticks, count, scale, mean);                                             \
    } while (0)

static void calls(size_t count)
{
    unsigned char vgpu[512], pgpu[512], out[512], copy[128];
    char text[96];
    unsigned int number = 0, size, handles[64];
    unsigned long long bytes = 0;
    int kind = 0;
    double scale = nanoseconds_per_tick();
    uint64_t *ticks = malloc(count * sizeof *ticks);
    must(ticks != NULL, "malloc");
    begin();
    size = sizeof vgpu;
    must(nvmlVgpuInstanceGetMetadata(instance, vgpu, &size) == 0, "vgpu record");
    size = sizeof pgpu;
    must(nvmlDeviceGetVgpuMetadata(device, pgpu, &size) == 0, "gpu record");
    for (size_t i = 0; i < count; i++) {
        uint64_t start = before();
        ticks[i] = after() - start;
    }
    qsort(ticks, count, sizeof *ticks, by_size);
    own_cost = (double)ticks[count / 2];
    printf("clock %.2f %.2f %.2f\n", own_cost * scale, (double)ticks[count / 100 * 99] * scale, own_cost * scale);
    TIME("memcpy-128", copy_128(copy, pgpu));
    TIME("nvmlDeviceGetCount", nvmlDeviceGetCount_v2(&number));
    TIME("nvmlDeviceGetHandleByIndex", nvmlDeviceGetHandleByIndex_v2(0, &device));
    TIME("nvmlDeviceGetName", nvmlDeviceGetName(device, text, sizeof text));
    TIME("nvmlDeviceGetUUID", nvmlDeviceGetUUID(device, text, sizeof text));
    TIME("nvmlDeviceGetMemoryInfo", nvmlDeviceGetMemoryInfo(device, out));
    TIME("nvmlDeviceGetUtilizationRates", nvmlDeviceGetUtilizationRates(device, out));
    TIME("nvmlDeviceGetTemperature", nvmlDeviceGetTemperature(device, 0, &number));
    TIME("nvmlDeviceGetPowerUsage", nvmlDeviceGetPowerUsage(device, &number));
    TIME("nvmlDeviceGetPciInfo", nvmlDeviceGetPciInfo_v3(device, out));
    TIME("nvmlDeviceGetActiveVgpus", (number = 64, nvmlDeviceGetActiveVgpus(device, &number, handles)));
    TIME("nvmlVgpuInstanceGetVmID", nvmlVgpuInstanceGetVmID(instance, text, 80, &kind));
    TIME("nvmlVgpuInstanceGetType", nvmlVgpuInstanceGetType(instance, &number));
    TIME("nvmlVgpuInstanceGetFbUsage", nvmlVgpuInstanceGetFbUsage(instance, &bytes));
    TIME("nvmlGetVgpuVersion", nvmlGetVgpuVersion(out, out + 8));
    TIME("nvmlVgpuInstanceGetMetadata", (size = 212, nvmlVgpuInstanceGetMetadata(instance, out, &size)));
    TIME("nvmlDeviceGetVgpuMetadata", (size = 128, nvmlDeviceGetVgpuMetadata(device, out, &size)));
    TIME("nvmlGetVgpuCompatibility", nvmlGetVgpuCompatibility(vgpu, pgpu, out));
    free(ticks);
}

static void print_two(const char *name, uint64_t *times, size_t count)
{
    qsort(times, count, sizeof *times, by_size);
    printf("%s %llu %llu\n", name, (unsigned long long)times[count / 2],
           (unsigned long long)times[count * 99 / 100]);
}

static void start(void)
{
    uint64_t began = nanoseconds();
    must(nvmlInit_v2() == 0, "init");
    printf("init %llu\n", (unsigned long long)(nanoseconds() - began));
}

static void enumerate(void)
{
    unsigned int count = 0;
    char text[96];
    unsigned char out[64];
    must(nvmlInit_v2() == 0 && nvmlDeviceGetCount_v2(&count) == 0, "init");
    for (unsigned int index = 0; index < count; index++) {
        device_t one;
        must(nvmlDeviceGetHandleByIndex_v2(index, &one) == 0, "handle");
        must(nvmlDeviceGetName(one, text, sizeof text) == 0 && nvmlDeviceGetUUID(one, text, sizeof text) == 0 &&
                 nvmlDeviceGetMemoryInfo(one, out) == 0, "a gpu's answers");
    }
    must(nvmlShutdown() == 0, "shutdown");
}

static void rounds(size_t count)
{
    uint64_t *times = malloc(count * sizeof *times), began = nanoseconds();
    must(times != NULL, "malloc");
    enumerate();
    printf("first-round %llu\n", (unsigned long long)(nanoseconds() - began));
    for (size_t i = 0; i < count; i++) {
        began = nanoseconds();
        enumerate();
        times[i] = nanoseconds() - began;
    }
    print_two("round", times, count);
    free(times);
}

static void publish(void)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    begin();
    printf("publishing\n");
    fflush(stdout);
    for (int mode = 0;; mode ^= 1) {
        must(nvmlDeviceSetPersistenceMode(device, mode) == 0, "set");
        nanosleep(&pause, NULL);
    }
}

/* What two processes tell each other; `turn` counts settings, `seen` when the other saw the last of them. */
struct shared {
    volatile uint64_t turn, seen_turn, seen_at;
};

static void watch(struct shared *shared)
{
    int mode = 0;
    begin();
    for (uint64_t turn = 1;; turn++) {
        while (nvmlDeviceGetPersistenceMode(device, &mode) == 0 && mode != (int)(turn & 1))
            ;
        shared->seen_at = nanoseconds();
        __atomic_store_n(&shared->seen_turn, turn, __ATOMIC_RELEASE);
    }
}

static void seen(size_t count)
{
    uint64_t *visible = malloc(count * sizeof *visible), *called = malloc(count * sizeof *called);
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(visible != NULL && called != NULL && shared != MAP_FAILED, "memory");
    begin();
    must(nvmlDeviceSetPersistenceMode(device, 0) == 0, "set");
    pid_t watcher = fork();
    if (watcher == 0)
        watch(shared);
    for (uint64_t turn = 1; turn <= count; turn++) {
        const struct timespec pause = {.tv_nsec = 2000000};
        nanosleep(&pause, NULL);
        uint64_t began = nanoseconds();
        must(nvmlDeviceSetPersistenceMode(device, (int)(turn & 1)) == 0, "set");
        called[turn - 1] = nanoseconds() - began;
        while (__atomic_load_n(&shared->seen_turn, __ATOMIC_ACQUIRE) != turn)
            sched_yield();
        visible[turn - 1] = shared->seen_at - began;
    }
    kill(watcher, SIGKILL);
    waitpid(watcher, NULL, 0);
    print_two("seen", visible, count);
    print_two("set", called, count);
}

static void read_memory(long values[3])
{
    static const char *const names[3] = {"Rss:", "Pss:", "Private_Dirty:"};
    char line[256];
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    must(file != NULL, "smaps_rollup");
    while (fgets(line, sizeof line, file) != NULL)
        for (int i = 0; i < 3; i++)
            if (strncmp(line, names[i], strlen(names[i])) == 0)
                values[i] = atol(line + strlen(names[i]));
    fclose(file);
}

static void memory(void)
{
    long first[3] = {0}, then[3] = {0};
    unsigned int count = 0, vgpus, handles[64], size;
    unsigned char out[512];
    read_memory(first);
    read_memory(first);
    load();
    begin();
    nvmlDeviceGetCount_v2(&count);
    for (unsigned int index = 0; index < count; index++) { /* so that all of the snapshot is in memory */
        nvmlDeviceGetHandleByIndex_v2(index, &device);
        vgpus = 64, size = sizeof out;
        nvmlDeviceGetVgpuMetadata(device, out, &size);
        must(nvmlDeviceGetActiveVgpus(device, &vgpus, handles) == 0, "vgpus");
        for (unsigned int i = 0; i < vgpus; i++)
            size = sizeof out, nvmlVgpuInstanceGetMetadata(handles[i], out, &size);
    }
    read_memory(then);
    printf("memory %ld %ld %ld\n", (then[0] - first[0]) * 1024, (then[1] - first[1]) * 1024,
           (then[2] - first[2]) * 1024);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
    if (strcmp(what, "memory") == 0) {
        memory();
        return 0;
    }
    load();
    if (strcmp(what, "calls") == 0)
        calls(count);
    else if (strcmp(what, "start") == 0)
        start();
    else if (strcmp(what, "round") == 0)
        rounds(count);
    else if (strcmp(what, "publish") == 0)
        publish();
    else
        seen(count);
    return 0;
}
