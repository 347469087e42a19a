/* Programs that we do not have here, by the calls they are known to make: gpumon, go-nvml, nvml-wrapper.

   Prints the two records as each program ends up with them. For the host `a_studio` of tests/clients/fleets.py. */
#include <dlfcn.h>
#include <nvml.h>

#include "guarded.h"

#define VGPU_FIXED 208u
#define PGPU_FIXED 124u

/* gpumon looks up every name when it starts, and does not start without one of them. */
static const char *const gpumon_names[] = {
    "nvmlErrorString",
    "nvmlInit_v2",
    "nvmlShutdown",
    "nvmlDeviceGetCount_v2",
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetHandleByPciBusId_v2",
    "nvmlDeviceGetMemoryInfo",
    "nvmlDeviceGetPciInfo_v3",
    "nvmlDeviceGetTemperature",
    "nvmlDeviceGetPowerUsage",
    "nvmlDeviceGetUtilizationRates",
    "nvmlDeviceSetPersistenceMode",
    "nvmlDeviceGetVgpuMetadata",
    "nvmlVgpuInstanceGetMetadata",
    "nvmlDeviceGetActiveVgpus",
    "nvmlVgpuInstanceGetVmID",
    "nvmlVgpuInstanceGetUUID",
    "nvmlGetVgpuCompatibility",
};

/* Asks with NULL and 0, where success would be a bug to it; then allocates what it was told, and asks again. */
static void *gpumon_blob(int is_vgpu, nvmlDevice_t device, unsigned int instance, unsigned int *size)
{
    *size = 0;
    ANSWERS(7, is_vgpu ? nvmlVgpuInstanceGetMetadata(instance, NULL, size)
                       : nvmlDeviceGetVgpuMetadata(device, NULL, size));
    void *blob = guarded(*size);
    ANSWERS(0, is_vgpu ? nvmlVgpuInstanceGetMetadata(instance, blob, size)
                       : nvmlDeviceGetVgpuMetadata(device, blob, size));
    return blob;
}

static void gpumon(void)
{
    unsigned int count = 0, size = 0, *instances;
    void *library = dlopen("libnvidia-ml.so.1", RTLD_LAZY);
    nvmlDevice_t device;
    nvmlPciInfo_t pci;
    nvmlVgpuPgpuCompatibility_t verdict = {0, 0};
    char vm[80], uuid[80];
    nvmlVgpuVmIdType_t kind;
    CHECK(library != NULL);
    for (size_t i = 0; i < sizeof gpumon_names / sizeof *gpumon_names; i++)
        CHECK(dlsym(library, gpumon_names[i]) != NULL);
    ANSWERS(0, nvmlInit());
    ANSWERS(0, nvmlDeviceGetHandleByIndex(0, &device));
    ANSWERS(0, nvmlDeviceGetPciInfo(device, &pci));
    nvmlDevice_t by_address = NULL;
    ANSWERS(0, nvmlDeviceGetHandleByPciBusId(pci.busId, &by_address));
    CHECK(by_address == device);
    ANSWERS(0, nvmlDeviceSetPersistenceMode(device, NVML_FEATURE_ENABLED));
    ANSWERS(7, nvmlDeviceGetActiveVgpus(device, &count, NULL));
    instances = guarded(count * sizeof *instances);
    ANSWERS(0, nvmlDeviceGetActiveVgpus(device, &count, instances));
    ANSWERS(0, nvmlVgpuInstanceGetVmID(instances[0], vm, sizeof vm, &kind));
    ANSWERS(0, nvmlVgpuInstanceGetUUID(instances[0], uuid, sizeof uuid));
    CHECK(strlen(uuid) == 36);
    void *pgpu = gpumon_blob(0, device, 0, &size);
    print_hex("gpumon pgpu", pgpu, size);
    void *vgpu = gpumon_blob(1, device, instances[0], &size);
    print_hex("gpumon vgpu", vgpu, size);
    ANSWERS(0, nvmlGetVgpuCompatibility(vgpu, pgpu, &verdict));
    CHECK(verdict.vgpuVmCompatibility & NVML_VGPU_VM_COMPATIBILITY_LIVE);
    ANSWERS(0, nvmlShutdown());
}

/* Starts at the fixed part and four bytes, doubles the opaque part until it fits, never looks at the size it is told
   on the way, and cuts what it got at the size it is told in the end. */
static unsigned char *go_buffer(int is_vgpu, nvmlDevice_t device, unsigned int instance, unsigned int *opaque)
{
    const unsigned int fixed = is_vgpu ? VGPU_FIXED : PGPU_FIXED;
    for (unsigned int room = 4;; room *= 2) {
        unsigned int size = fixed + room;
        unsigned char *buffer = guarded(size);
        int code = is_vgpu ? nvmlVgpuInstanceGetMetadata(instance, (nvmlVgpuMetadata_t *)buffer, &size)
                           : nvmlDeviceGetVgpuMetadata(device, (nvmlVgpuPgpuMetadata_t *)buffer, &size);
        if (code == NVML_SUCCESS) {
            CHECK(size >= fixed && size <= fixed + room);
            *opaque = size - fixed;
            return buffer;
        }
        CHECK(code == NVML_ERROR_INSUFFICIENT_SIZE && room < 65536);
    }
}

static void go_nvml(void)
{
    unsigned int opaque = 0, count = 0, first = 0;
    nvmlDevice_t device;
    nvmlVgpuPgpuCompatibility_t verdict = {0, 0};
    ANSWERS(0, nvmlInit());
    ANSWERS(0, nvmlDeviceGetHandleByIndex(0, &device));
    unsigned int *instances = NULL;
    for (int code = NVML_ERROR_INSUFFICIENT_SIZE; code == NVML_ERROR_INSUFFICIENT_SIZE; count *= 2) {
        count = count == 0 ? 1 : count;
        instances = guarded(count * sizeof *instances);
        unsigned int told = count;
        code = nvmlDeviceGetActiveVgpus(device, &told, instances);
        CHECK(code == NVML_SUCCESS || told > count);
    }
    first = instances[0];
    unsigned char *pgpu = go_buffer(0, device, 0, &opaque);
    print_hex("go pgpu", pgpu, PGPU_FIXED + opaque);
    unsigned char *vgpu = go_buffer(1, device, first, &opaque);
    print_hex("go vgpu", vgpu, VGPU_FIXED + opaque);
    /* Only the structures themselves are passed on, whatever lay behind them. */
    ANSWERS(0, nvmlGetVgpuCompatibility((nvmlVgpuMetadata_t *)(uintptr_t)frozen(vgpu, sizeof(nvmlVgpuMetadata_t)),
                                        (nvmlVgpuPgpuMetadata_t *)(uintptr_t)frozen(pgpu, sizeof(nvmlVgpuPgpuMetadata_t)),
                                        &verdict));
    ANSWERS(0, nvmlShutdown());
}

/* Asks how many there are and then for as many, even for none: with a pointer that points nowhere. */
static void nvml_wrapper(void)
{
    unsigned int gpus = 0;
    ANSWERS(0, nvmlInit());
    ANSWERS(0, nvmlDeviceGetCount(&gpus));
    for (unsigned int index = 0; index < gpus; index++) {
        nvmlDevice_t device;
        unsigned int count = 0, *nowhere = (unsigned int *)sizeof(unsigned int);
        ANSWERS(0, nvmlDeviceGetHandleByIndex(index, &device));
        int code = nvmlDeviceGetActiveVgpus(device, &count, NULL);
        if (code == NVML_ERROR_NOT_SUPPORTED)
            continue;
        ANSWERS(count > 0 ? 7 : 0, code);
        unsigned int *array = count > 0 ? guarded(count * sizeof *array) : nowhere;
        ANSWERS(0, nvmlDeviceGetActiveVgpus(device, &count, array));
        printf("wrapper gpu %u: %u\n", index, count);
    }
    nvmlVgpuVersion_t zero = {0, 0};
    ANSWERS(2, nvmlSetVgpuVersion(&zero));
    ANSWERS(0, nvmlShutdown());
}

int main(void)
{
    gpumon();
    go_nvml();
    nvml_wrapper();
    return failures != 0;
}
