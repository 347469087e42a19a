/* Look-ups in the slot in force. Every count, offset and index is checked before use, because the host writes the
   slots as it likes and we must not crash whatever stands there. */
#include "lookup.h"

#define MOST_GPUS 4096u

/* A handle is the place of a gpu's number here; nothing is ever stored. */
static struct nvmlDevice_st {
    char place[16];
} devices[MOST_GPUS];

nvmlDevice_t vgm_device_handle(uint32_t number)
{
    return number < MOST_GPUS ? &devices[number] : NULL;
}

const struct vgm_gpu *vgm_all_gpus(struct vgm_call *call, uint32_t *count)
{
    *count = ONCE(call->host->gpus_count);
    const struct vgm_gpu *gpus = VGM_AT(call->view, ONCE(call->host->gpus_offset), *count, struct vgm_gpu);
    if (UNLIKELY(gpus == NULL || *count > MOST_GPUS)) {
        call->code = NVML_ERROR_UNKNOWN;
        return NULL;
    }
    return gpus;
}

const struct vgm_gpu *vgm_find_gpu(struct vgm_call *call, nvmlDevice_t device, uint32_t *number)
{
    uint32_t count;
    uintptr_t distance = (uintptr_t)device - (uintptr_t)devices;
    const struct vgm_gpu *gpus = vgm_all_gpus(call, &count);
    if (UNLIKELY(gpus == NULL))
        return NULL;
    if (UNLIKELY(distance % sizeof *devices != 0 || distance / sizeof *devices >= count)) {
        call->code = NVML_ERROR_INVALID_ARGUMENT;
        return NULL;
    }
    *number = (uint32_t)(distance / sizeof *devices);
    return vgm_ask_faults(call, *number, VGM_ANY) ? &gpus[*number] : NULL;
}

const struct vgm_instance *vgm_peek_instance(struct vgm_call *call, nvmlVgpuInstance_t handle)
{
    const struct vgm_view *view = call->view;
    const struct vgm_host *host = call->host;
    uint32_t mask = ONCE(host->index_mask), count = ONCE(host->instances_count);
    const uint32_t *index = VGM_AT(view, ONCE(host->index_offset), (uint64_t)mask + 1, uint32_t);
    const struct vgm_instance *instances =
        VGM_AT(view, ONCE(host->instances_offset), count, struct vgm_instance);
    if (UNLIKELY(index == NULL || instances == NULL)) {
        call->code = NVML_ERROR_UNKNOWN;
        return NULL;
    }
    for (uint64_t step = 0; step <= mask; step++) {
        uint32_t entry = ONCE(index[(uint32_t)(handle + step) & mask]);
        if (entry == 0)
            break;
        if (LIKELY(entry <= count && ONCE(instances[entry - 1].handle) == handle))
            return &instances[entry - 1];
    }
    call->code = NVML_ERROR_NOT_FOUND;
    return NULL;
}

const struct vgm_instance *vgm_find_instance(struct vgm_call *call, nvmlVgpuInstance_t handle)
{
    if (UNLIKELY(handle == 0)) {
        call->code = NVML_ERROR_INVALID_ARGUMENT;
        return NULL;
    }
    const struct vgm_instance *instance = vgm_peek_instance(call, handle);
    if (UNLIKELY(instance == NULL))
        return NULL;
    return vgm_ask_faults(call, ONCE(instance->gpu), handle) ? instance : NULL;
}

const struct vgm_type *vgm_find_type(struct vgm_call *call, nvmlVgpuTypeId_t id)
{
    const struct vgm_view *view = call->view;
    uint32_t low = 0, high = view->types_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t there = ONCE(view->types[middle].id);
        if (there == id)
            return vgm_ask_faults(call, VGM_ANY, VGM_ANY) ? &view->types[middle] : NULL;
        if (there < id)
            low = middle + 1;
        else
            high = middle;
    }
    call->code = NVML_ERROR_INVALID_ARGUMENT;
    return NULL;
}

const uint32_t *vgm_list(struct vgm_call *call, uint32_t first, uint32_t count)
{
    uint32_t pool_count = ONCE(call->host->pool_count);
    const uint32_t *pool = VGM_AT(call->view, ONCE(call->host->pool_offset), pool_count, uint32_t);
    if (UNLIKELY(pool == NULL || first > pool_count || count > pool_count - first)) {
        call->code = NVML_ERROR_UNKNOWN;
        return NULL;
    }
    return pool + first;
}

bool vgm_copy_text(struct vgm_call *call, struct vgm_text *text, const char *from, size_t room)
{
    if (room > sizeof text->bytes)
        room = sizeof text->bytes;
    memcpy(text->bytes, from, room);
    const char *end = memchr(text->bytes, '\0', room);
    if (UNLIKELY(end == NULL)) {
        call->code = NVML_ERROR_UNKNOWN;
        return false;
    }
    text->size = (unsigned int)(end - text->bytes) + 1;
    return true;
}
