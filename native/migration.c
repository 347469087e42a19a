/* The five functions of vGPU migration, but the setter: see setters.c. */
#include "compatibility.h"
#include "lookup.h"

/* The size protocol that real clients depend on in four ways: less than the record, 0 included, writes nothing but
   the needed size; enough gets the record and its true size. */
static nvmlReturn_t put_record(const void *record, unsigned int size, void *to, unsigned int *room)
{
    bool is_enough = to != NULL && *room >= size;
    *room = size;
    if (!is_enough)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    memcpy(to, record, size);
    return NVML_SUCCESS;
}

VGM_API nvmlReturn_t nvmlVgpuInstanceGetMetadata(nvmlVgpuInstance_t vgpuInstance, nvmlVgpuMetadata_t *vgpuMetadata,
                                                 unsigned int *bufferSize)
{
    unsigned char record[sizeof(nvmlVgpuMetadata_t)];
    CALL(nvmlVgpuInstanceGetMetadata) {
        REQUIRE(bufferSize != NULL && (vgpuMetadata != NULL || *bufferSize == 0));
        INSTANCE(instance, vgpuInstance);
        memcpy(record, instance->record, sizeof record);
    }
    ANSWER(return put_record(record, sizeof record, vgpuMetadata, bufferSize));
}

VGM_API nvmlReturn_t nvmlDeviceGetVgpuMetadata(nvmlDevice_t device, nvmlVgpuPgpuMetadata_t *pgpuMetadata,
                                               unsigned int *bufferSize)
{
    unsigned char record[sizeof(nvmlVgpuPgpuMetadata_t)];
    CALL(nvmlDeviceGetVgpuMetadata) {
        REQUIRE(bufferSize != NULL && (pgpuMetadata != NULL || *bufferSize == 0));
        VGPU_HOST(gpu, device);
        memcpy(record, gpu->record, sizeof record);
    }
    ANSWER(return put_record(record, sizeof record, pgpuMetadata, bufferSize));
}

VGM_API nvmlReturn_t nvmlDeviceGetPgpuMetadataString(nvmlDevice_t device, char *pgpuMetadata,
                                                     unsigned int *bufferSize)
{
    struct vgm_text text;
    CALL(nvmlDeviceGetPgpuMetadataString) {
        REQUIRE(bufferSize != NULL && (pgpuMetadata != NULL || *bufferSize == 0));
        VGPU_HOST(gpu, device);
        TEXT(text, gpu->metadata_string);
    }
    ANSWER(return put_record(text.bytes, text.size, pgpuMetadata, bufferSize));
}

VGM_API nvmlReturn_t nvmlGetVgpuCompatibility(nvmlVgpuMetadata_t *vgpuMetadata,
                                              nvmlVgpuPgpuMetadata_t *pgpuMetadata,
                                              nvmlVgpuPgpuCompatibility_t *compatibilityInfo)
{
    struct vgm_verdict verdict = {0};
    CALL(nvmlGetVgpuCompatibility) {
        REQUIRE(vgpuMetadata != NULL && pgpuMetadata != NULL && compatibilityInfo != NULL);
        SYSTEM();
        call.code = vgm_judge(call.view, vgpuMetadata, pgpuMetadata, &verdict);
    }
    ANSWER(compatibilityInfo->vgpuVmCompatibility = (nvmlVgpuVmCompatibility_t)verdict.states;
           compatibilityInfo->compatibilityLimitCode = (nvmlVgpuPgpuCompatibilityLimitCode_t)verdict.limits);
}

VGM_API nvmlReturn_t nvmlGetVgpuVersion(nvmlVgpuVersion_t *supported, nvmlVgpuVersion_t *current)
{
    nvmlVgpuVersion_t preset = {0, 0}, in_force = {0, 0};
    CALL(nvmlGetVgpuVersion) {
        REQUIRE(supported != NULL && current != NULL);
        SYSTEM();
        const struct vgm_host *host = call.host;
        if (!host->has_manager)
            FAIL(NVML_ERROR_NOT_SUPPORTED);
        if (!host->range_known)
            FAIL(NVML_ERROR_UNKNOWN);
        preset = (nvmlVgpuVersion_t){host->preset_min, host->preset_max};
        in_force = (nvmlVgpuVersion_t){host->range_min, host->range_max};
    }
    ANSWER(*supported = preset; *current = in_force);
}
