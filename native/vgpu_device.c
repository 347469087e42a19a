/* What a gpu says of the vgpus it has and may have. */
#include "lookup.h"

#define NUMBER(name, type, number)                                  \
    VGM_API nvmlReturn_t name(nvmlDevice_t device, type *answer)    \
    {                                                               \
        type value = (type)0;                                       \
        CALL(name) {                                                \
            REQUIRE(answer != NULL);                                \
            VGPU_HOST(gpu, device);                                 \
            value = (type)gpu->number;                              \
        }                                                           \
        ANSWER(*answer = value);                                    \
    }

NUMBER(nvmlDeviceGetHostVgpuMode, nvmlHostVgpuMode_t, host_vgpu_mode)

VGM_API nvmlReturn_t nvmlDeviceGetVirtualizationMode(nvmlDevice_t device, nvmlGpuVirtualizationMode_t *pVirtualMode)
{
    nvmlGpuVirtualizationMode_t value = NVML_GPU_VIRTUALIZATION_MODE_NONE;
    CALL(nvmlDeviceGetVirtualizationMode) {
        REQUIRE(pVirtualMode != NULL);
        GPU(gpu, device);
        value = (nvmlGpuVirtualizationMode_t)gpu->virtualization_mode;
    }
    ANSWER(*pVirtualMode = value);
}

VGM_API nvmlReturn_t nvmlDeviceGetVgpuCapabilities(nvmlDevice_t device, nvmlDeviceVgpuCapability_t capability,
                                                   unsigned int *capResult)
{
    unsigned int value = 0;
    CALL(nvmlDeviceGetVgpuCapabilities) {
        REQUIRE(capResult != NULL && (unsigned int)capability < NVML_DEVICE_VGPU_CAP_COUNT);
        VGPU_HOST(gpu, device);
        if (capability == NVML_DEVICE_VGPU_CAP_READ_DEVICE_BUFFER_BW)
            value = gpu->read_bandwidth_mb_s;
        else if (capability == NVML_DEVICE_VGPU_CAP_WRITE_DEVICE_BUFFER_BW)
            value = gpu->write_bandwidth_mb_s;
        else
            value = gpu->capabilities >> capability & 1;
    }
    ANSWER(*capResult = value);
}

VGM_API nvmlReturn_t nvmlDeviceGetVgpuHeterogeneousMode(nvmlDevice_t device,
                                                        nvmlVgpuHeterogeneousMode_t *pHeterogeneousMode)
{
    unsigned int value = 0;
    CALL(nvmlDeviceGetVgpuHeterogeneousMode) {
        VERSIONED(pHeterogeneousMode, nvmlVgpuHeterogeneousMode_v1);
        VGPU_HOST(gpu, device);
        if (gpu->mig_enabled || !gpu->can_be_heterogeneous)
            FAIL(NVML_ERROR_NOT_SUPPORTED);
        value = gpu->heterogeneous;
    }
    ANSWER(pHeterogeneousMode->mode = value);
}

/* Copy a list of the slot to the client, as far as it has room. Its array is not touched where that is 0. */
static bool put_list(struct vgm_call *call, uint32_t first, uint32_t count, unsigned int *to, uint32_t room)
{
    const uint32_t *list = vgm_list(call, first, count);
    if (list == NULL)
        return false;
    if (count > 0 && count <= room && to != NULL)
        memcpy(to, list, count * sizeof *to);
    return true;
}

#define LIST(name, list)                                                                            \
    VGM_API nvmlReturn_t name(nvmlDevice_t device, unsigned int *vgpuCount, unsigned int *array)    \
    {                                                                                               \
        uint32_t room = 0, found = 0;                                                               \
        CALL(name) {                                                                                \
            REQUIRE(vgpuCount != NULL && (array != NULL || *vgpuCount == 0));                       \
            room = *vgpuCount;                                                                      \
            VGPU_HOST(gpu, device);                                                                 \
            found = ONCE(gpu->list##_count);                                                        \
            if (!put_list(&call, ONCE(gpu->list##_first), found, array, room))                      \
                continue;                                                                           \
        }                                                                                           \
        if (call.code != NVML_SUCCESS)                                                              \
            return call.code;                                                                       \
        *vgpuCount = found;                                                                         \
        return found <= room ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;                         \
    }

LIST(nvmlDeviceGetSupportedVgpus, supported)
LIST(nvmlDeviceGetCreatableVgpus, creatable)
LIST(nvmlDeviceGetActiveVgpus, active)

/* Whether the gpu offers a type; leaves the reason in the call where it does not. */
static bool offers(struct vgm_call *call, const struct vgm_gpu *gpu, nvmlVgpuTypeId_t id, nvmlReturn_t else_code)
{
    uint32_t count = ONCE(gpu->supported_count);
    const uint32_t *supported = vgm_list(call, ONCE(gpu->supported_first), count);
    if (supported == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (ONCE(supported[i]) == id)
            return true;
    call->code = else_code;
    return false;
}

VGM_API nvmlReturn_t nvmlVgpuTypeGetMaxInstances(nvmlDevice_t device, nvmlVgpuTypeId_t vgpuTypeId,
                                                 unsigned int *vgpuInstanceCount)
{
    unsigned int value = 0;
    CALL(nvmlVgpuTypeGetMaxInstances) {
        REQUIRE(vgpuInstanceCount != NULL);
        GPU(gpu, device);
        TYPE(type, vgpuTypeId);
        if (!offers(&call, gpu, vgpuTypeId, NVML_ERROR_INVALID_ARGUMENT))
            continue;
        value = type->max_instances;
    }
    ANSWER(*vgpuInstanceCount = value);
}

/* Both placement functions take the structure's first version too, which ends before the mode. */
static nvmlReturn_t check_placement_list(const nvmlVgpuPlacementList_t *list)
{
    if (list == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (list->version != nvmlVgpuPlacementList_v1 && list->version != nvmlVgpuPlacementList_v2)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    if (list->placementIds == NULL && list->count != 0)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (list->version == nvmlVgpuPlacementList_v1 || list->mode == NVML_VGPU_PGPU_HETEROGENEOUS_MODE)
        return NVML_SUCCESS;
    return list->mode == NVML_VGPU_PGPU_HOMOGENEOUS_MODE ? NVML_ERROR_NOT_SUPPORTED : NVML_ERROR_INVALID_ARGUMENT;
}

/* The placement ids of a type that are free on a gpu now: none where the host has no room for the type. */
static const uint32_t *free_placements(struct vgm_call *call, const struct vgm_gpu *gpu, nvmlVgpuTypeId_t id,
                                       uint32_t *count)
{
    uint32_t all = ONCE(call->host->type_rooms_count), first = ONCE(gpu->rooms_first), own = ONCE(gpu->rooms_count);
    const struct vgm_type_room *rooms =
        VGM_AT(call->view, ONCE(call->host->type_rooms_offset), all, struct vgm_type_room);
    if (rooms == NULL || first > all || own > all - first) {
        call->code = NVML_ERROR_UNKNOWN;
        return NULL;
    }
    for (uint32_t i = first; i < first + own; i++)
        if (ONCE(rooms[i].type_id) == id) {
            *count = ONCE(rooms[i].creatable_count);
            return vgm_list(call, ONCE(rooms[i].creatable_first), *count);
        }
    *count = 0;
    return vgm_list(call, 0, 0);
}

/* The placement ids of a type as such. */
static const uint32_t *all_placements(struct vgm_call *call, const struct vgm_type *type, uint32_t *count)
{
    uint32_t first = ONCE(type->placements_first);
    *count = ONCE(type->placements_count);
    if (first <= call->view->pool_count && *count <= call->view->pool_count - first)
        return call->view->pool + first;
    call->code = NVML_ERROR_UNKNOWN;
    return NULL;
}

static nvmlReturn_t placements(enum vgm_function function, nvmlDevice_t device, nvmlVgpuTypeId_t id,
                               nvmlVgpuPlacementList_t *list)
{
    uint32_t room = 0, found = 0, size = 0;
    struct vgm_call call;
    for (vgm_begin(&call, function); call.going; vgm_end(&call)) {
        if (call.code != NVML_SUCCESS)
            continue;
        nvmlReturn_t arguments = check_placement_list(list);
        if (arguments != NVML_SUCCESS && arguments != NVML_ERROR_NOT_SUPPORTED)
            FAIL(arguments);
        VGPU_HOST(gpu, device);
        TYPE(type, id);
        if (arguments != NVML_SUCCESS || gpu->mig_enabled || !gpu->can_be_heterogeneous)
            FAIL(NVML_ERROR_NOT_SUPPORTED);
        if (!offers(&call, gpu, id, NVML_ERROR_NOT_SUPPORTED))
            continue;
        const uint32_t *ids = function == F_nvmlDeviceGetVgpuTypeCreatablePlacements
                                  ? free_placements(&call, gpu, id, &found)
                                  : all_placements(&call, type, &found);
        if (ids == NULL)
            continue;
        room = list->count;
        size = type->placement_size;
        if (found > 0 && found <= room)
            memcpy(list->placementIds, ids, found * sizeof *ids);
    }
    if (call.code != NVML_SUCCESS)
        return call.code;
    list->count = found;
    if (found > room)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    list->placementSize = size;
    return NVML_SUCCESS;
}

VGM_API nvmlReturn_t nvmlDeviceGetVgpuTypeSupportedPlacements(nvmlDevice_t device, nvmlVgpuTypeId_t vgpuTypeId,
                                                              nvmlVgpuPlacementList_t *pPlacementList)
{
    return placements(F_nvmlDeviceGetVgpuTypeSupportedPlacements, device, vgpuTypeId, pPlacementList);
}

VGM_API nvmlReturn_t nvmlDeviceGetVgpuTypeCreatablePlacements(nvmlDevice_t device, nvmlVgpuTypeId_t vgpuTypeId,
                                                              nvmlVgpuPlacementList_t *pPlacementList)
{
    return placements(F_nvmlDeviceGetVgpuTypeCreatablePlacements, device, vgpuTypeId, pPlacementList);
}
