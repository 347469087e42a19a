/* What is said of one active vgpu. */
#include "lookup.h"

#define NUMBER(name, type, number)                                                  \
    VGM_API nvmlReturn_t name(nvmlVgpuInstance_t vgpuInstance, type *answer)        \
    {                                                                               \
        type value = (type)0;                                                       \
        CALL(name) {                                                                \
            REQUIRE(answer != NULL);                                                \
            INSTANCE(instance, vgpuInstance);                                       \
            value = (type)instance->number;                                         \
        }                                                                           \
        ANSWER(*answer = value);                                                    \
    }

NUMBER(nvmlVgpuInstanceGetType, nvmlVgpuTypeId_t, type_id)
NUMBER(nvmlVgpuInstanceGetFbUsage, unsigned long long, framebuffer_used)
NUMBER(nvmlVgpuInstanceGetLicenseStatus, unsigned int, licensed)
NUMBER(nvmlVgpuInstanceGetEccMode, nvmlEnableState_t, ecc_enabled)
NUMBER(nvmlVgpuInstanceGetGpuInstanceId, unsigned int, gpu_instance)

VGM_API nvmlReturn_t nvmlVgpuInstanceGetFrameRateLimit(nvmlVgpuInstance_t vgpuInstance, unsigned int *frameRateLimit)
{
    unsigned int value = 0;
    CALL(nvmlVgpuInstanceGetFrameRateLimit) {
        REQUIRE(frameRateLimit != NULL);
        INSTANCE(instance, vgpuInstance);
        value = instance->frame_rate_limit;
        if (value == 0)
            FAIL(NVML_ERROR_NOT_SUPPORTED);
    }
    ANSWER(*frameRateLimit = value);
}

VGM_API nvmlReturn_t nvmlVgpuInstanceGetUUID(nvmlVgpuInstance_t vgpuInstance, char *uuid, unsigned int size)
{
    struct vgm_text text;
    CALL(nvmlVgpuInstanceGetUUID) {
        REQUIRE(uuid != NULL);
        INSTANCE(instance, vgpuInstance);
        TEXT(text, instance->uuid);
    }
    ANSWER(return vgm_put_text(&text, uuid, size));
}

/* At most the text itself is written, 80 bytes at the longest: one client says 128 of a buffer of 80. */
VGM_API nvmlReturn_t nvmlVgpuInstanceGetVmID(nvmlVgpuInstance_t vgpuInstance, char *vmId, unsigned int size,
                                             nvmlVgpuVmIdType_t *vmIdType)
{
    struct vgm_text text;
    nvmlVgpuVmIdType_t type = NVML_VGPU_VM_ID_UUID;
    CALL(nvmlVgpuInstanceGetVmID) {
        REQUIRE(vmId != NULL && vmIdType != NULL);
        INSTANCE(instance, vgpuInstance);
        TEXT(text, instance->vm_id);
        type = (nvmlVgpuVmIdType_t)instance->vm_id_type;
        if (text.size > size)
            FAIL(NVML_ERROR_INSUFFICIENT_SIZE);
    }
    ANSWER(*vmIdType = type; return vgm_put_text(&text, vmId, size));
}

VGM_API nvmlReturn_t nvmlVgpuInstanceGetVmDriverVersion(nvmlVgpuInstance_t vgpuInstance, char *version,
                                                        unsigned int length)
{
    static const struct vgm_text none = {"Not Available", sizeof "Not Available"};
    struct vgm_text text;
    CALL(nvmlVgpuInstanceGetVmDriverVersion) {
        REQUIRE(version != NULL);
        INSTANCE(instance, vgpuInstance);
        TEXT(text, instance->guest_driver);
    }
    ANSWER(return vgm_put_text(text.size > 1 ? &text : &none, version, length));
}

VGM_API nvmlReturn_t nvmlVgpuInstanceGetMdevUUID(nvmlVgpuInstance_t vgpuInstance, char *mdevUuid, unsigned int size)
{
    struct vgm_text text;
    CALL(nvmlVgpuInstanceGetMdevUUID) {
        REQUIRE(mdevUuid != NULL);
        INSTANCE(instance, vgpuInstance);
        TEXT(text, instance->mdev_uuid);
        if (text.size == 1) /* only under KVM has a vgpu an mdev */
            FAIL(NVML_ERROR_NOT_SUPPORTED);
    }
    ANSWER(return vgm_put_text(&text, mdevUuid, size));
}

VGM_API nvmlReturn_t nvmlVgpuInstanceGetGpuPciId(nvmlVgpuInstance_t vgpuInstance, char *vgpuPciId,
                                                 unsigned int *length)
{
    struct vgm_text text;
    CALL(nvmlVgpuInstanceGetGpuPciId) {
        REQUIRE(vgpuPciId != NULL && length != NULL);
        INSTANCE(instance, vgpuInstance);
        TEXT(text, instance->pci_id);
    }
    if (call.code != NVML_SUCCESS)
        return call.code;
    nvmlReturn_t code = vgm_put_text(&text, vgpuPciId, *length);
    *length = text.size;
    return code;
}

VGM_API nvmlReturn_t nvmlVgpuInstanceGetPlacementId(nvmlVgpuInstance_t vgpuInstance,
                                                    nvmlVgpuPlacementId_t *pPlacement)
{
    unsigned int value = 0;
    CALL(nvmlVgpuInstanceGetPlacementId) {
        VERSIONED(pPlacement, nvmlVgpuPlacementId_v1);
        INSTANCE(instance, vgpuInstance);
        value = instance->placement;
    }
    ANSWER(pPlacement->placementId = value);
}

VGM_API nvmlReturn_t nvmlVgpuInstanceGetRuntimeStateSize(nvmlVgpuInstance_t vgpuInstance,
                                                         nvmlVgpuRuntimeState_t *pState)
{
    unsigned long long value = 0;
    CALL(nvmlVgpuInstanceGetRuntimeStateSize) {
        VERSIONED(pState, nvmlVgpuRuntimeState_v1);
        INSTANCE(instance, vgpuInstance);
        value = instance->runtime_state_bytes;
    }
    ANSWER(pState->size = value);
}

static void fill_license(const struct vgm_instance *instance, nvmlVgpuLicenseInfo_t *info)
{
    memset(info, 0, sizeof *info);
    info->isLicensed = instance->licensed != 0;
    info->licenseExpiry.status =
        info->isLicensed ? NVML_GRID_LICENSE_EXPIRY_PERMANENT : NVML_GRID_LICENSE_EXPIRY_NOT_APPLICABLE;
    info->currentState = info->isLicensed ? NVML_GRID_LICENSE_STATE_LICENSED : NVML_GRID_LICENSE_STATE_UNLICENSED;
}

/* A license is the guest driver's: without one the header names DRIVER_NOT_LOADED. */
#define LICENSE(name)                                                                               \
    VGM_API nvmlReturn_t name(nvmlVgpuInstance_t vgpuInstance, nvmlVgpuLicenseInfo_t *licenseInfo)  \
    {                                                                                               \
        nvmlVgpuLicenseInfo_t value;                                                                \
        CALL(name) {                                                                                \
            REQUIRE(licenseInfo != NULL);                                                           \
            INSTANCE(instance, vgpuInstance);                                                       \
            if (instance->guest_driver[0] == '\0')                                                  \
                FAIL(NVML_ERROR_DRIVER_NOT_LOADED);                                                 \
            fill_license(instance, &value);                                                         \
        }                                                                                           \
        ANSWER(*licenseInfo = value);                                                               \
    }

LICENSE(nvmlVgpuInstanceGetLicenseInfo)
LICENSE(nvmlVgpuInstanceGetLicenseInfo_v2)
