/* What is said of a vgpu type: the static part of the snapshot, and so the same as long as the host lives. */
#include "lookup.h"

#define NUMBER(name, type_of_answer, number)                                            \
    VGM_API nvmlReturn_t name(nvmlVgpuTypeId_t vgpuTypeId, type_of_answer *answer)      \
    {                                                                                   \
        type_of_answer value = 0;                                                       \
        CALL(name) {                                                                    \
            REQUIRE(answer != NULL);                                                    \
            TYPE(type, vgpuTypeId);                                                     \
            value = type->number;                                                       \
        }                                                                               \
        ANSWER(*answer = value);                                                        \
    }

NUMBER(nvmlVgpuTypeGetFramebufferSize, unsigned long long, framebuffer_bytes)
NUMBER(nvmlVgpuTypeGetGspHeapSize, unsigned long long, gsp_heap_bytes)
NUMBER(nvmlVgpuTypeGetFbReservation, unsigned long long, fb_reservation_bytes)
NUMBER(nvmlVgpuTypeGetNumDisplayHeads, unsigned int, heads)
NUMBER(nvmlVgpuTypeGetMaxInstancesPerVm, unsigned int, max_instances_per_vm)
NUMBER(nvmlVgpuTypeGetGpuInstanceProfileId, unsigned int, gpu_instance_profile)

/* Too small a size learns the needed one; a large enough one the true one. */
#define NAME(name, member)                                                                              \
    VGM_API nvmlReturn_t name(nvmlVgpuTypeId_t vgpuTypeId, char *to, unsigned int *size)                \
    {                                                                                                   \
        struct vgm_text text;                                                                           \
        CALL(name) {                                                                                    \
            REQUIRE(to != NULL && size != NULL);                                                        \
            TYPE(type, vgpuTypeId);                                                                     \
            TEXT(text, type->member);                                                                   \
        }                                                                                               \
        if (call.code != NVML_SUCCESS)                                                                  \
            return call.code;                                                                           \
        nvmlReturn_t code = vgm_put_text(&text, to, *size);                                             \
        *size = text.size;                                                                              \
        return code;                                                                                    \
    }

NAME(nvmlVgpuTypeGetClass, class_name)
NAME(nvmlVgpuTypeGetName, name)

VGM_API nvmlReturn_t nvmlVgpuTypeGetLicense(nvmlVgpuTypeId_t vgpuTypeId, char *vgpuTypeLicenseString,
                                            unsigned int size)
{
    struct vgm_text text;
    CALL(nvmlVgpuTypeGetLicense) {
        REQUIRE(vgpuTypeLicenseString != NULL);
        TYPE(type, vgpuTypeId);
        TEXT(text, type->license);
    }
    ANSWER(return vgm_put_text(&text, vgpuTypeLicenseString, size));
}

VGM_API nvmlReturn_t nvmlVgpuTypeGetDeviceID(nvmlVgpuTypeId_t vgpuTypeId, unsigned long long *deviceID,
                                             unsigned long long *subsystemID)
{
    unsigned long long values[2] = {0};
    CALL(nvmlVgpuTypeGetDeviceID) {
        REQUIRE(deviceID != NULL && subsystemID != NULL);
        TYPE(type, vgpuTypeId);
        values[0] = type->device_id;
        values[1] = type->subsystem_id;
    }
    ANSWER(*deviceID = values[0]; *subsystemID = values[1]);
}

VGM_API nvmlReturn_t nvmlVgpuTypeGetResolution(nvmlVgpuTypeId_t vgpuTypeId, unsigned int displayIndex,
                                               unsigned int *xdim, unsigned int *ydim)
{
    unsigned int values[2] = {0};
    CALL(nvmlVgpuTypeGetResolution) {
        REQUIRE(xdim != NULL && ydim != NULL);
        TYPE(type, vgpuTypeId);
        REQUIRE(displayIndex < type->heads);
        values[0] = type->max_x;
        values[1] = type->max_y;
    }
    ANSWER(*xdim = values[0]; *ydim = values[1]);
}

VGM_API nvmlReturn_t nvmlVgpuTypeGetFrameRateLimit(nvmlVgpuTypeId_t vgpuTypeId, unsigned int *frameRateLimit)
{
    unsigned int value = 0;
    CALL(nvmlVgpuTypeGetFrameRateLimit) {
        REQUIRE(frameRateLimit != NULL);
        TYPE(type, vgpuTypeId);
        value = type->frame_rate_limit;
        if (value == 0)
            FAIL(NVML_ERROR_NOT_SUPPORTED);
    }
    ANSWER(*frameRateLimit = value);
}

VGM_API nvmlReturn_t nvmlVgpuTypeGetBAR1Info(nvmlVgpuTypeId_t vgpuTypeId, nvmlVgpuTypeBar1Info_t *bar1Info)
{
    unsigned long long value = 0;
    CALL(nvmlVgpuTypeGetBAR1Info) {
        VERSIONED(bar1Info, nvmlVgpuTypeBar1Info_v1);
        TYPE(type, vgpuTypeId);
        value = type->bar1_bytes >> 20; /* said in MiB */
    }
    ANSWER(bar1Info->bar1Size = value);
}

VGM_API nvmlReturn_t nvmlVgpuTypeGetMaxInstancesPerGpuInstance(nvmlVgpuTypeMaxInstance_t *pMaxInstance)
{
    unsigned int value = 0;
    CALL(nvmlVgpuTypeGetMaxInstancesPerGpuInstance) {
        VERSIONED(pMaxInstance, nvmlVgpuTypeMaxInstance_v1);
        TYPE(type, pMaxInstance->vgpuTypeId);
        value = type->max_per_gpu_instance;
        if (value == 0)
            FAIL(NVML_ERROR_NOT_SUPPORTED);
    }
    ANSWER(pMaxInstance->maxInstancePerGI = value);
}

VGM_API nvmlReturn_t nvmlVgpuTypeGetCapabilities(nvmlVgpuTypeId_t vgpuTypeId, nvmlVgpuCapability_t capability,
                                                 unsigned int *capResult)
{
    unsigned int value = 0;
    CALL(nvmlVgpuTypeGetCapabilities) {
        REQUIRE(capResult != NULL && (unsigned int)capability < NVML_VGPU_CAP_COUNT);
        TYPE(type, vgpuTypeId);
        value = type->capabilities >> capability & 1;
    }
    ANSWER(*capResult = value);
}
