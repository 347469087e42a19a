/* The metadata of a host's gpus and active vgpus from C, and which of them are compatible.
 *
 *     cc -o metadata examples/metadata.c -ldl
 *     vgpu-migrate sim demo --host a1 -- ./metadata
 *
 * The library is opened by its name, as every NVML program does; with NVIDIA's nvml.h at hand one would include
 * it and link with -lnvidia-ml instead. Records are bytes to a client: it keeps them, ships them and hands them
 * back.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

enum { SUCCESS = 0, INSUFFICIENT_SIZE = 7, VGPUS_AT_MOST = 32, COLD = 1, HIBERNATE = 2, SLEEP = 4, LIVE = 8 };

typedef struct device *device_t;
typedef struct { unsigned int states, limits; } compatibility_t;

static int (*init)(void);
static int (*shut_down)(void);
static const char *(*error_string)(int);
static int (*device_count)(unsigned int *);
static int (*device_by_index)(unsigned int, device_t *);
static int (*active_vgpus)(device_t, unsigned int *, unsigned int *);
static int (*vgpu_metadata)(unsigned int, void *, unsigned int *);
static int (*gpu_metadata)(device_t, void *, unsigned int *);
static int (*compatibility)(const void *, const void *, compatibility_t *);

static void load(void)
{
    static const struct { const char *name; void *slot; } wanted[] = {
        {"nvmlInit_v2", &init},
        {"nvmlShutdown", &shut_down},
        {"nvmlErrorString", &error_string},
        {"nvmlDeviceGetCount_v2", &device_count},
        {"nvmlDeviceGetHandleByIndex_v2", &device_by_index},
        {"nvmlDeviceGetActiveVgpus", &active_vgpus},
        {"nvmlVgpuInstanceGetMetadata", &vgpu_metadata},
        {"nvmlDeviceGetVgpuMetadata", &gpu_metadata},
        {"nvmlGetVgpuCompatibility", &compatibility},
    };
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        void *found = library ? dlsym(library, wanted[i].name) : NULL;
        if (!found) {
            fprintf(stderr, "%s\n", dlerror());
            exit(2);
        }
        *(void **)wanted[i].slot = found;
    }
}

static void check(const char *what, int code)
{
    if (code != SUCCESS) {
        fprintf(stderr, "%s: %s\n", what, error_string(code));
        exit(1);
    }
}

/* The size is asked for first, with no buffer at all. */
static void *read_vgpu(unsigned int vgpu, unsigned int *size)
{
    *size = 0;
    int code = vgpu_metadata(vgpu, NULL, size);
    if (code != INSUFFICIENT_SIZE)
        check("size of a vgpu's record", code);
    void *record = malloc(*size);
    check("a vgpu's record", record ? vgpu_metadata(vgpu, record, size) : 20);
    return record;
}

static void *read_gpu(device_t gpu)
{
    unsigned int size = 0;
    int code = gpu_metadata(gpu, NULL, &size);
    if (code != INSUFFICIENT_SIZE)
        check("size of a gpu's record", code);
    void *record = malloc(size);
    check("a gpu's record", record ? gpu_metadata(gpu, record, &size) : 20);
    return record;
}

static void show(unsigned int index, device_t gpu)
{
    unsigned int vgpus[VGPUS_AT_MOST], count = VGPUS_AT_MOST, size;
    void *target = read_gpu(gpu);
    check("active vgpus", active_vgpus(gpu, &count, vgpus));
    printf("gpu %u: %u active vgpus\n", index, count);
    for (unsigned int i = 0; i < count; i++) {
        compatibility_t found;
        void *record = read_vgpu(vgpus[i], &size);
        check("compatibility", compatibility(record, target, &found));
        printf("  vgpu %u: %u bytes;%s%s%s%s, limits %#x\n", vgpus[i], size, found.states & LIVE ? " live" : "",
               found.states & SLEEP ? " sleep" : "", found.states & HIBERNATE ? " hibernate" : "",
               found.states & COLD ? " cold" : "", found.limits);
        free(record);
    }
    free(target);
}

int main(void)
{
    unsigned int count;
    load();
    check("init", init());
    check("count of gpus", device_count(&count));
    for (unsigned int index = 0; index < count; index++) {
        device_t gpu;
        check("handle of a gpu", device_by_index(index, &gpu));
        show(index, gpu);
    }
    check("shutdown", shut_down());
    return 0;
}
