/* Every row of the five functions' table, against NVIDIA's own header, with forbidden pages around every buffer.

   For the host `a_studio` of tests/clients/fleets.py: gpu 0 is a vGPU host with a running VM whose vgpu is
   instance 1, gpu 2 is no vGPU host. Prints the two records, and every row that is not so; exit status 1 then. */
#include <nvml.h>

#include "guarded.h"

#define VGPU_SIZE 212u
#define PGPU_SIZE 128u
#define INSTANCE 1u
#define UNKNOWN_INSTANCE 0xDEADu

static void before_init(void)
{
    unsigned int size = 0, *nowhere = NULL;
    nvmlVgpuVersion_t range = {0, 0};
    char version[80];
    ANSWERS(1, nvmlVgpuInstanceGetMetadata(0, NULL, NULL));
    ANSWERS(1, nvmlVgpuInstanceGetMetadata(INSTANCE, NULL, &size));
    ANSWERS(1, nvmlDeviceGetVgpuMetadata(NULL, NULL, nowhere));
    ANSWERS(1, nvmlGetVgpuCompatibility(NULL, NULL, NULL));
    ANSWERS(1, nvmlGetVgpuVersion(NULL, NULL));
    ANSWERS(1, nvmlSetVgpuVersion(NULL));
    ANSWERS(1, nvmlSetVgpuVersion(&range));
    ANSWERS(1, nvmlDeviceGetCount(NULL));
    ANSWERS(1, nvmlSystemGetDriverVersion(version, sizeof version));
    ANSWERS(1, nvmlShutdown());
    ANSWERS(0, nvmlSystemGetNVMLVersion(version, sizeof version));
    CHECK(memchr(version, 0, sizeof version) != NULL);
    CHECK(size == 0);
}

static void error_strings(void)
{
    CHECK(strcmp(nvmlErrorString(NVML_SUCCESS), "Success") == 0);
    CHECK(strcmp(nvmlErrorString(NVML_ERROR_IN_USE), "In use by another client") == 0);
    CHECK(strcmp(nvmlErrorString(NVML_ERROR_UNKNOWN), "Unknown Error") == 0);
    CHECK(strcmp(nvmlErrorString((nvmlReturn_t)12345), "Unknown Error") == 0);
    CHECK(strcmp(nvmlErrorString((nvmlReturn_t)-1), "Unknown Error") == 0);
}

/* The size protocol is one for both records; `get` calls one of the two functions with good first argument. */
typedef nvmlReturn_t (*getter_t)(void *buffer, unsigned int *size);

static nvmlReturn_t get_vgpu(void *buffer, unsigned int *size)
{
    return nvmlVgpuInstanceGetMetadata(INSTANCE, buffer, size);
}

static nvmlDevice_t host_gpu, plain_gpu;

static nvmlReturn_t get_pgpu(void *buffer, unsigned int *size)
{
    return nvmlDeviceGetVgpuMetadata(host_gpu, buffer, size);
}

static void sizes(getter_t get, unsigned int wanted, unsigned char *record)
{
    unsigned int *size = guarded(sizeof *size);
    ANSWERS(2, get(NULL, NULL));
    ANSWERS(2, get(record, NULL));
    for (unsigned int said = 1; said <= wanted + 1; said += wanted / 3) {
        *size = said;
        ANSWERS(2, get(NULL, size));
        CHECK(*size == said);
    }
    *size = 0;
    ANSWERS(7, get(NULL, size));
    CHECK(*size == wanted);
    for (unsigned int said = 0; said < wanted; said++) {
        unsigned char *buffer = guarded(said);
        *size = said;
        ANSWERS(7, get(buffer, size));
        CHECK(*size == wanted);
        CHECK(is_untouched(buffer, said));
        munmap(buffer + said - (said ? PAGE : 0) - PAGE, (said ? 3 : 2) * PAGE);
    }
    unsigned char *exact = guarded(wanted);
    *size = wanted;
    ANSWERS(0, get(exact, size));
    CHECK(*size == wanted);
    memcpy(record, exact, wanted);
    unsigned char *low = guarded_below(wanted);
    *size = wanted;
    ANSWERS(0, get(low, size));
    CHECK(memcmp(low, record, wanted) == 0 && is_untouched(low + wanted, PAGE - wanted));
    const unsigned int larger[] = {wanted + 1, 380, 468, 1000, 0x7FFFFFFF, 0xFFFFFFFF};
    for (size_t i = 0; i < sizeof larger / sizeof *larger; i++) { /* real clients say more than they have */
        unsigned char *buffer = guarded(wanted);
        *size = larger[i];
        ANSWERS(0, get(buffer, size));
        CHECK(*size == wanted);
        CHECK(memcmp(buffer, record, wanted) == 0);
    }
}

static void vgpu_metadata(unsigned char *record)
{
    unsigned int size = VGPU_SIZE;
    nvmlVgpuMetadata_t *buffer = guarded(VGPU_SIZE);
    sizes(get_vgpu, VGPU_SIZE, record);
    ANSWERS(2, nvmlVgpuInstanceGetMetadata(0, buffer, &size));
    ANSWERS(2, nvmlVgpuInstanceGetMetadata(0, NULL, NULL));
    size = 0;
    ANSWERS(2, nvmlVgpuInstanceGetMetadata(0, NULL, &size));
    CHECK(size == 0);
    /* Look-up comes behind arguments and before sizes. */
    ANSWERS(6, nvmlVgpuInstanceGetMetadata(UNKNOWN_INSTANCE, NULL, &size));
    CHECK(size == 0);
    size = VGPU_SIZE;
    ANSWERS(6, nvmlVgpuInstanceGetMetadata(UNKNOWN_INSTANCE, buffer, &size));
    ANSWERS(6, nvmlVgpuInstanceGetMetadata(0xFFFFFFFF, buffer, &size));
    ANSWERS(2, nvmlVgpuInstanceGetMetadata(UNKNOWN_INSTANCE, NULL, &size));
    CHECK(is_untouched(buffer, VGPU_SIZE) && size == VGPU_SIZE);
}

static void pgpu_metadata(unsigned char *record)
{
    unsigned int size = PGPU_SIZE, count = 0;
    nvmlVgpuPgpuMetadata_t *buffer = guarded(PGPU_SIZE);
    sizes(get_pgpu, PGPU_SIZE, record);
    nvmlDevice_t wrong[] = {NULL, (nvmlDevice_t)((char *)host_gpu + 1), (nvmlDevice_t)(uintptr_t)0xDEAD,
                            (nvmlDevice_t)(uintptr_t)-1, (nvmlDevice_t)buffer};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        size = PGPU_SIZE;
        ANSWERS(2, nvmlDeviceGetVgpuMetadata(wrong[i], buffer, &size));
        size = 0;
        ANSWERS(2, nvmlDeviceGetVgpuMetadata(wrong[i], NULL, &size));
        ANSWERS(2, nvmlDeviceGetActiveVgpus(wrong[i], &count, NULL));
        ANSWERS(2, nvmlDeviceGetIndex(wrong[i], &count));
    }
    /* Support comes before sizes. */
    ANSWERS(3, nvmlDeviceGetVgpuMetadata(plain_gpu, NULL, &size));
    CHECK(size == 0);
    size = PGPU_SIZE;
    ANSWERS(3, nvmlDeviceGetVgpuMetadata(plain_gpu, buffer, &size));
    ANSWERS(2, nvmlDeviceGetVgpuMetadata(plain_gpu, NULL, &size));
    ANSWERS(2, nvmlDeviceGetVgpuMetadata(plain_gpu, buffer, NULL));
    CHECK(is_untouched(buffer, PGPU_SIZE) && size == PGPU_SIZE);
}

static nvmlReturn_t compare(const void *vgpu, const void *pgpu)
{
    nvmlVgpuPgpuCompatibility_t *out = guarded(sizeof *out);
    nvmlReturn_t code = nvmlGetVgpuCompatibility((nvmlVgpuMetadata_t *)(uintptr_t)vgpu,
                                                 (nvmlVgpuPgpuMetadata_t *)(uintptr_t)pgpu, out);
    if (code != NVML_SUCCESS)
        CHECK(is_untouched(out, sizeof *out));
    return code;
}

/* The answer to a record with bytes from `place` on replaced. */
static nvmlReturn_t with_vgpu(const unsigned char *vgpu, const void *pgpu, size_t place, int byte, size_t size)
{
    unsigned char *changed = guarded(VGPU_SIZE);
    memcpy(changed, vgpu, VGPU_SIZE);
    memset(changed + place, byte, size);
    return compare(changed, pgpu);
}

static nvmlReturn_t with_pgpu(const void *vgpu, const unsigned char *pgpu, size_t place, int byte, size_t size)
{
    unsigned char *changed = guarded(PGPU_SIZE);
    memcpy(changed, pgpu, PGPU_SIZE);
    memset(changed + place, byte, size);
    return compare(vgpu, changed);
}

static void compatibility(const unsigned char *vgpu_record, const unsigned char *pgpu_record)
{
    const void *vgpu = frozen(vgpu_record, VGPU_SIZE), *pgpu = frozen(pgpu_record, PGPU_SIZE);
    nvmlVgpuPgpuCompatibility_t out;
    ANSWERS(0, compare(vgpu, pgpu));
    ANSWERS(2, compare(NULL, pgpu));
    ANSWERS(2, compare(vgpu, NULL));
    ANSWERS(2, compare(NULL, NULL));
    ANSWERS(2, nvmlGetVgpuCompatibility((nvmlVgpuMetadata_t *)(uintptr_t)vgpu,
                                        (nvmlVgpuPgpuMetadata_t *)(uintptr_t)pgpu, NULL));
    /* Swapped: a vgpu's record is long enough to be read as a gpu's; the reverse wants a long buffer. */
    unsigned char *long_pgpu = guarded(VGPU_SIZE);
    memset(long_pgpu, 0, VGPU_SIZE);
    memcpy(long_pgpu, pgpu, PGPU_SIZE);
    ANSWERS(2, compare(long_pgpu, vgpu));
    ANSWERS(2, compare(long_pgpu, pgpu));
    ANSWERS(2, compare(vgpu, vgpu));
    const unsigned char zeros[VGPU_SIZE] = {0};
    ANSWERS(2, compare(zeros, pgpu));
    ANSWERS(2, compare(vgpu, zeros));
    /* Foreign: record version, magic (the first reserved word). */
    ANSWERS(2, with_vgpu(vgpu, pgpu, offsetof(nvmlVgpuMetadata_t, version), 7, 1));
    ANSWERS(2, with_pgpu(vgpu, pgpu, offsetof(nvmlVgpuPgpuMetadata_t, version), 7, 1));
    ANSWERS(2, with_vgpu(vgpu, pgpu, offsetof(nvmlVgpuMetadata_t, reserved), 7, 1));
    ANSWERS(2, with_pgpu(vgpu, pgpu, offsetof(nvmlVgpuPgpuMetadata_t, reserved), 7, 1));
    /* Strings without an end, in both records. */
    ANSWERS(2, with_vgpu(vgpu, pgpu, offsetof(nvmlVgpuMetadata_t, guestDriverVersion), 'x', 80));
    ANSWERS(2, with_vgpu(vgpu, pgpu, offsetof(nvmlVgpuMetadata_t, hostDriverVersion), 'x', 80));
    ANSWERS(2, with_pgpu(vgpu, pgpu, offsetof(nvmlVgpuPgpuMetadata_t, hostDriverVersion), 'x', 80));
    /* Guest info is 0 or 1. */
    ANSWERS(2, with_vgpu(vgpu, pgpu, offsetof(nvmlVgpuMetadata_t, guestInfoState), 2, 1));
    ANSWERS(2, with_vgpu(vgpu, pgpu, offsetof(nvmlVgpuMetadata_t, guestInfoState), 0xFF, 4));
    /* The opaque part and its size are not looked at. */
    ANSWERS(0, with_vgpu(vgpu, pgpu, offsetof(nvmlVgpuMetadata_t, opaqueDataSize), 0xFF, 8));
    ANSWERS(0, with_vgpu(vgpu, pgpu, offsetof(nvmlVgpuMetadata_t, opaqueDataSize), 0, 8));
    ANSWERS(0, with_pgpu(vgpu, pgpu, offsetof(nvmlVgpuPgpuMetadata_t, opaqueDataSize), 0xFF, 8));
    ANSWERS(0, nvmlGetVgpuCompatibility((nvmlVgpuMetadata_t *)(uintptr_t)vgpu,
                                        (nvmlVgpuPgpuMetadata_t *)(uintptr_t)pgpu, &out));
    CHECK(out.vgpuVmCompatibility == 0xF && out.compatibilityLimitCode == 0);
}

static void versions(void)
{
    nvmlVgpuVersion_t *supported = guarded(8), *current = guarded(8), *wanted = guarded(8);
    ANSWERS(2, nvmlGetVgpuVersion(NULL, NULL));
    ANSWERS(2, nvmlGetVgpuVersion(supported, NULL));
    ANSWERS(2, nvmlGetVgpuVersion(NULL, current));
    CHECK(is_untouched(supported, 8) && is_untouched(current, 8));
    ANSWERS(0, nvmlGetVgpuVersion(supported, current));
    CHECK(supported->minVersion == 0x70001 && supported->maxVersion == 0x140001);
    CHECK(memcmp(supported, current, 8) == 0);
    ANSWERS(2, nvmlSetVgpuVersion(NULL));
    const nvmlVgpuVersion_t wrong[] = {{0x140001, 0x70001},   {0x70000, 0x140001}, {0x70001, 0x140002},
                                       {0, 0},                {0, 0xFFFFFFFF},     {0xFFFFFFFF, 0xFFFFFFFF},
                                       {0x150001, 0x160001}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) { /* the range first, then IN_USE */
        *wanted = wrong[i];
        ANSWERS(2, nvmlSetVgpuVersion(wanted));
        CHECK(memcmp(wanted, &wrong[i], 8) == 0);
    }
    *wanted = (nvmlVgpuVersion_t){0x120001, 0x140001};
    ANSWERS(19, nvmlSetVgpuVersion(wanted));
    *wanted = *supported;
    ANSWERS(19, nvmlSetVgpuVersion(wanted));
    memset(current, 0, 8);
    ANSWERS(0, nvmlGetVgpuVersion(supported, current));
    CHECK(memcmp(supported, current, 8) == 0);
}

/* "At least one too few" and "exactly", for texts whose size is the client's word. */
static void texts(void)
{
    char whole[96];
    ANSWERS(0, nvmlDeviceGetUUID(host_gpu, whole, sizeof whole));
    for (unsigned int size = 0; size <= strlen(whole); size++) {
        char *small = guarded(size);
        ANSWERS(7, nvmlDeviceGetUUID(host_gpu, small, size));
        munmap(small + size - (size ? PAGE : 0) - PAGE, (size ? 3 : 2) * PAGE);
    }
    char *exact = guarded(strlen(whole) + 1);
    ANSWERS(0, nvmlDeviceGetUUID(host_gpu, exact, (unsigned int)strlen(whole) + 1));
    CHECK(strcmp(exact, whole) == 0);
    ANSWERS(2, nvmlDeviceGetUUID(host_gpu, NULL, 80));
    /* nvidia-ml-py passes 128 for 80 bytes; others pass a pointer to a string in 256. */
    nvmlVgpuVmIdType_t kind;
    char *vm = guarded(80);
    ANSWERS(0, nvmlVgpuInstanceGetVmID(INSTANCE, vm, 128, &kind));
    CHECK(kind == NVML_VGPU_VM_ID_UUID && strlen(vm) == 36);
    unsigned int size = 0;
    ANSWERS(7, nvmlDeviceGetPgpuMetadataString(host_gpu, NULL, &size));
    CHECK(size > 1 && size <= 256);
    unsigned int needed = size;
    char *string = guarded(needed);
    ANSWERS(0, nvmlDeviceGetPgpuMetadataString(host_gpu, string, &size));
    CHECK(size == needed && strlen(string) == needed - 1);
    size = needed - 1;
    char *short_string = guarded(size);
    ANSWERS(7, nvmlDeviceGetPgpuMetadataString(host_gpu, short_string, &size));
    CHECK(size == needed && is_untouched(short_string, needed - 1));
}

static void init_is_counted(void)
{
    unsigned int count = 0;
    ANSWERS(0, nvmlInitWithFlags(NVML_INIT_FLAG_NO_GPUS));
    ANSWERS(0, nvmlInit());
    ANSWERS(0, nvmlShutdown());
    ANSWERS(0, nvmlDeviceGetCount(&count));
    CHECK(count == 4);
    ANSWERS(0, nvmlShutdown());
    ANSWERS(0, nvmlDeviceGetCount(&count));
}

int main(void)
{
    unsigned char vgpu[VGPU_SIZE], pgpu[PGPU_SIZE];
    before_init();
    error_strings();
    ANSWERS(0, nvmlInit());
    init_is_counted();
    ANSWERS(0, nvmlDeviceGetHandleByIndex(0, &host_gpu));
    ANSWERS(0, nvmlDeviceGetHandleByIndex(2, &plain_gpu));
    vgpu_metadata(vgpu);
    pgpu_metadata(pgpu);
    compatibility(vgpu, pgpu);
    versions();
    texts();
    ANSWERS(0, nvmlShutdown());
    before_init();
    print_hex("vgpu", vgpu, VGPU_SIZE);
    print_hex("pgpu", pgpu, PGPU_SIZE);
    return failures != 0;
}
