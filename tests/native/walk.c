/* Every row of the five functions' table, with buffers of exactly the right size between pages that nobody may touch.

       walk busy          a host with a VM running on its first gpu
       walk idle          one whose VMs are all off
       walk unsupported   one whose first gpu is no vGPU host, without a vGPU Manager
       walk unknown       one whose preset range is not known
       walk nowhere       no host at all

   Says what went wrong, line by line; the exit status is the number of lines, at most 99. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nvml_abi.h"

#ifndef VGM_NVIDIA_HEADER
nvmlReturn_t nvmlInit_v2(void);
nvmlReturn_t nvmlInitWithFlags(unsigned int);
nvmlReturn_t nvmlShutdown(void);
const char *nvmlErrorString(nvmlReturn_t);
nvmlReturn_t nvmlSystemGetNVMLVersion(char *, unsigned int);
nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int, nvmlDevice_t *);
nvmlReturn_t nvmlDeviceGetActiveVgpus(nvmlDevice_t, unsigned int *, nvmlVgpuInstance_t *);
nvmlReturn_t nvmlVgpuInstanceGetMetadata(nvmlVgpuInstance_t, nvmlVgpuMetadata_t *, unsigned int *);
nvmlReturn_t nvmlDeviceGetVgpuMetadata(nvmlDevice_t, nvmlVgpuPgpuMetadata_t *, unsigned int *);
nvmlReturn_t nvmlDeviceGetPgpuMetadataString(nvmlDevice_t, char *, unsigned int *);
nvmlReturn_t nvmlGetVgpuCompatibility(nvmlVgpuMetadata_t *, nvmlVgpuPgpuMetadata_t *, nvmlVgpuPgpuCompatibility_t *);
nvmlReturn_t nvmlGetVgpuVersion(nvmlVgpuVersion_t *, nvmlVgpuVersion_t *);
nvmlReturn_t nvmlSetVgpuVersion(nvmlVgpuVersion_t *);
nvmlReturn_t nvmlVgpuInstanceGetVmID(nvmlVgpuInstance_t, char *, unsigned int, nvmlVgpuVmIdType_t *);
#endif

#define PAGE 4096u
enum { VGPU_SIZE = 212, GPU_SIZE = 128, NOT_INITIALISED = 0xA5 };

static int failures;

#define EXPECT(wanted, call)                                                                            \
    do {                                                                                                \
        int seen_ = (int)(call);                                                                        \
        if (seen_ != (int)(wanted)) {                                                                   \
            printf("line %d: %s: %d, wanted %d\n", __LINE__, #call, seen_, (int)(wanted));              \
            failures++;                                                                                 \
        }                                                                                               \
    } while (0)

/* A buffer that ends where nothing may be touched, or begins where nothing before it may. */
static void *guarded(size_t size, int at_end)
{
    char *pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        exit(100);
    mprotect(pages, PAGE, PROT_NONE);
    mprotect(pages + 2 * PAGE, PAGE, PROT_NONE);
    memset(pages + PAGE, NOT_INITIALISED, PAGE);
    return pages + PAGE + (at_end ? PAGE - size : 0);
}

static int untouched(const void *buffer, size_t size)
{
    const unsigned char *bytes = buffer;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != NOT_INITIALISED)
            return 0;
    return 1;
}

static void walk_before_init(void)
{
    unsigned int size = 0;
    nvmlVgpuVersion_t range = {0, 0};
    char version[80] = "";
    EXPECT(1, nvmlVgpuInstanceGetMetadata(1, NULL, NULL));
    EXPECT(1, nvmlVgpuInstanceGetMetadata(1, NULL, &size));
    EXPECT(1, nvmlDeviceGetVgpuMetadata(NULL, NULL, NULL));
    EXPECT(1, nvmlGetVgpuCompatibility(NULL, NULL, NULL));
    EXPECT(1, nvmlGetVgpuVersion(NULL, NULL));
    EXPECT(1, nvmlSetVgpuVersion(NULL));
    EXPECT(1, nvmlSetVgpuVersion(&range));
    EXPECT(1, nvmlShutdown());
    EXPECT(0, nvmlSystemGetNVMLVersion(version, sizeof version));
    EXPECT(1, version[0] != '\0');
    EXPECT(0, strcmp(nvmlErrorString(0), "Success"));
    EXPECT(0, strcmp(nvmlErrorString((nvmlReturn_t)-1), "Unknown Error"));
    EXPECT(0, strcmp(nvmlErrorString((nvmlReturn_t)1000), "Unknown Error"));
}

/* The size protocol of both metadata calls: every size below the record's, and one above it. */
#define WALK_SIZES(record_size, invoke)                                                          \
    for (int at_end = 0; at_end < 2; at_end++)                                                   \
        for (unsigned int given = 0; given <= (record_size) + 1; given++) {                      \
            void *buffer = guarded(given, at_end);                                               \
            unsigned int *size = guarded(sizeof *size, at_end);                                  \
            *size = given;                                                                       \
            EXPECT(given < (record_size) ? 7 : 0, invoke(buffer, size));                         \
            EXPECT((record_size), *size);                                                        \
            EXPECT(given < (record_size) ? 1 : 0, untouched(buffer, given));                     \
        }                                                                                        \
    {                                                                                            \
        unsigned int *size = guarded(sizeof *size, 1);                                           \
        *size = 0;                                                                               \
        EXPECT(7, invoke(NULL, size));                                                           \
        EXPECT((record_size), *size);                                                            \
        for (unsigned int given = 1; given <= (record_size); given++) {                          \
            *size = given;                                                                       \
            EXPECT(2, invoke(NULL, size));                                                       \
            EXPECT(given, *size);                                                                \
        }                                                                                        \
        void *buffer = guarded(record_size, 1);                                                  \
        EXPECT(2, invoke(buffer, NULL));                                                         \
        EXPECT(2, invoke(NULL, NULL));                                                           \
    }

static nvmlDevice_t device;
static nvmlVgpuInstance_t instance;

static nvmlReturn_t instance_metadata(void *buffer, unsigned int *size)
{
    return nvmlVgpuInstanceGetMetadata(instance, buffer, size);
}

static nvmlReturn_t device_metadata(void *buffer, unsigned int *size)
{
    return nvmlDeviceGetVgpuMetadata(device, buffer, size);
}

static void walk_arguments(void)
{
    unsigned int size = VGPU_SIZE;
    void *buffer = guarded(VGPU_SIZE, 1);
    EXPECT(2, nvmlVgpuInstanceGetMetadata(0, buffer, &size));
    EXPECT(6, nvmlVgpuInstanceGetMetadata(0xFFFFFFF0u, buffer, &size));
    size = 0;
    EXPECT(6, nvmlVgpuInstanceGetMetadata(0xFFFFFFF0u, NULL, &size));
    EXPECT(0, size);
    size = GPU_SIZE;
    EXPECT(2, nvmlDeviceGetVgpuMetadata(NULL, buffer, &size));
    EXPECT(2, nvmlDeviceGetVgpuMetadata((nvmlDevice_t)&size, buffer, &size));
    EXPECT(2, nvmlDeviceGetVgpuMetadata((nvmlDevice_t)((char *)device + 1), buffer, &size));
    EXPECT(2, nvmlDeviceGetVgpuMetadata((nvmlDevice_t)((char *)device - 16), buffer, &size));
    EXPECT(1, untouched(buffer, VGPU_SIZE));
}

static void walk_compatibility(void)
{
    for (int at_end = 0; at_end < 2; at_end++) {
        nvmlVgpuMetadata_t *vgpu = guarded(VGPU_SIZE, at_end);
        nvmlVgpuPgpuMetadata_t *gpu = guarded(GPU_SIZE, at_end);
        nvmlVgpuPgpuCompatibility_t *out = guarded(sizeof *out, at_end);
        unsigned int size = VGPU_SIZE;
        EXPECT(0, nvmlVgpuInstanceGetMetadata(instance, vgpu, &size));
        size = GPU_SIZE;
        EXPECT(0, nvmlDeviceGetVgpuMetadata(device, gpu, &size));
        vgpu->opaqueDataSize = gpu->opaqueDataSize = 0xFFFFFFFFu;
        EXPECT(2, nvmlGetVgpuCompatibility(NULL, gpu, out));
        EXPECT(2, nvmlGetVgpuCompatibility(vgpu, NULL, out));
        EXPECT(2, nvmlGetVgpuCompatibility(vgpu, gpu, NULL));
        EXPECT(1, untouched(out, sizeof *out));
        EXPECT(0, nvmlGetVgpuCompatibility(vgpu, gpu, out));
        EXPECT(15, out->vgpuVmCompatibility);
        EXPECT(0, out->compatibilityLimitCode);
        memset(out, NOT_INITIALISED, sizeof *out);

#define REFUSED(place, wrong)                                       \
    do {                                                            \
        __typeof__(place) kept = place;                             \
        place = wrong;                                              \
        EXPECT(2, nvmlGetVgpuCompatibility(vgpu, gpu, out));        \
        place = kept;                                               \
    } while (0)
        REFUSED(vgpu->version, 2);
        REFUSED(gpu->version, 2);
        REFUSED(vgpu->guestInfoState, 2);
        REFUSED(vgpu->reserved[0], 0);
        REFUSED(gpu->reserved[0], 0);
        REFUSED(vgpu->reserved[1], 0xFFFFFFFFu);
        REFUSED(gpu->reserved[1], 0xFF000000u);
        char driver[80];
        memcpy(driver, vgpu->guestDriverVersion, sizeof driver);
        memset(vgpu->guestDriverVersion, '5', sizeof driver);
        EXPECT(2, nvmlGetVgpuCompatibility(vgpu, gpu, out));
        memcpy(vgpu->guestDriverVersion, driver, sizeof driver);
        memcpy(driver, gpu->hostDriverVersion, sizeof driver);
        memset(gpu->hostDriverVersion, '5', sizeof driver);
        EXPECT(2, nvmlGetVgpuCompatibility(vgpu, gpu, out));
        memcpy(gpu->hostDriverVersion, driver, sizeof driver);
        EXPECT(1, untouched(out, sizeof *out));

        nvmlVgpuMetadata_t *swapped = guarded(VGPU_SIZE, at_end);
        memcpy(swapped, gpu, GPU_SIZE);
        EXPECT(2, nvmlGetVgpuCompatibility(swapped, (nvmlVgpuPgpuMetadata_t *)vgpu, out));
    }
}

static void walk_versions(int is_busy)
{
    nvmlVgpuVersion_t *supported = guarded(sizeof *supported, 1), *current = guarded(sizeof *current, 1);
    EXPECT(2, nvmlGetVgpuVersion(NULL, current));
    EXPECT(2, nvmlGetVgpuVersion(supported, NULL));
    EXPECT(1, untouched(current, sizeof *current));
    EXPECT(0, nvmlGetVgpuVersion(supported, current));
    EXPECT(0, memcmp(supported, current, sizeof *current));

    nvmlVgpuVersion_t *wanted = guarded(sizeof *wanted, 1);
    EXPECT(2, nvmlSetVgpuVersion(NULL));
    *wanted = (nvmlVgpuVersion_t){supported->maxVersion, supported->minVersion};
    EXPECT(2, nvmlSetVgpuVersion(wanted));
    *wanted = (nvmlVgpuVersion_t){supported->minVersion, supported->maxVersion + 1};
    EXPECT(2, nvmlSetVgpuVersion(wanted));
    *wanted = (nvmlVgpuVersion_t){0, 0};
    EXPECT(2, nvmlSetVgpuVersion(wanted));
    *wanted = (nvmlVgpuVersion_t){supported->maxVersion, supported->maxVersion};
    EXPECT(is_busy ? 19 : 0, nvmlSetVgpuVersion(wanted));
    EXPECT(0, nvmlGetVgpuVersion(supported, current));
    EXPECT(is_busy ? 1 : 0, memcmp(wanted, current, sizeof *current) != 0);
    if (!is_busy) {
        EXPECT(0, nvmlSetVgpuVersion(supported));
        EXPECT(0, nvmlGetVgpuVersion(supported, current));
        EXPECT(0, memcmp(supported, current, sizeof *current));
    }
}

static void walk_unsupported(void)
{
    unsigned int size = 0;
    nvmlVgpuVersion_t range = {1, 2};
    EXPECT(2, nvmlDeviceGetVgpuMetadata(NULL, NULL, &size));
    EXPECT(3, nvmlDeviceGetVgpuMetadata(device, NULL, &size));
    EXPECT(3, nvmlDeviceGetPgpuMetadataString(device, NULL, &size));
    EXPECT(0, size);
    EXPECT(3, nvmlGetVgpuVersion(&range, &range));
    EXPECT(3, nvmlSetVgpuVersion(&range));
}

/* One client says 128 of a buffer of 80. */
static void walk_lies(void)
{
    char *vm = guarded(80, 1), *text = guarded(256, 1);
    nvmlVgpuVmIdType_t type;
    unsigned int size = 100000;
    EXPECT(0, nvmlVgpuInstanceGetVmID(instance, vm, 128, &type));
    EXPECT(36, strnlen(vm, 80));
    EXPECT(1, type);
    EXPECT(0, nvmlDeviceGetPgpuMetadataString(device, text, &size));
    EXPECT(size, strnlen(text, 256) + 1);
    nvmlVgpuInstance_t *dangling = (nvmlVgpuInstance_t *)8;
    size = 0;
    EXPECT(7, nvmlDeviceGetActiveVgpus(device, &size, dangling));
    EXPECT(1, size > 0);
    nvmlVgpuInstance_t *exact = guarded(size * sizeof *exact, 1);
    EXPECT(0, nvmlDeviceGetActiveVgpus(device, &size, exact));
    EXPECT(instance, exact[0]);
}

int main(int argc, char **argv)
{
    const char *mode = argc == 2 ? argv[1] : "";
    int is_busy = strcmp(mode, "busy") == 0;
    walk_before_init();
    if (strcmp(mode, "nowhere") == 0) {
        EXPECT(9, nvmlInit_v2());
        EXPECT(9, nvmlInitWithFlags(0));
        walk_before_init();
        return failures < 99 ? failures : 99;
    }
    EXPECT(0, nvmlInit_v2());
    EXPECT(0, nvmlDeviceGetHandleByIndex_v2(0, &device));
    if (strcmp(mode, "unsupported") == 0) {
        walk_unsupported();
    } else if (strcmp(mode, "unknown") == 0) {
        nvmlVgpuVersion_t range = {1, 2};
        EXPECT(999, nvmlGetVgpuVersion(&range, &range));
        EXPECT(999, nvmlSetVgpuVersion(&range));
    } else {
        unsigned int count = 0;
        walk_arguments();
        walk_versions(is_busy);
        WALK_SIZES(GPU_SIZE, device_metadata)
        if (is_busy) {
            EXPECT(7, nvmlDeviceGetActiveVgpus(device, &count, NULL));
            nvmlVgpuInstance_t *all = guarded(count * sizeof *all, 1);
            EXPECT(0, nvmlDeviceGetActiveVgpus(device, &count, all));
            instance = all[0];
            WALK_SIZES(VGPU_SIZE, instance_metadata)
            walk_compatibility();
            walk_lies();
        } else {
            EXPECT(0, nvmlDeviceGetActiveVgpus(device, &count, (nvmlVgpuInstance_t *)8));
            EXPECT(0, count);
        }
    }
    EXPECT(0, nvmlInit_v2());
    EXPECT(0, nvmlShutdown());
    EXPECT(0, nvmlShutdown());
    walk_before_init();
    return failures < 99 ? failures : 99;
}
