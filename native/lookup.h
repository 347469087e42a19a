/* What a call looks for: gpus, vgpus, types, lists and texts, each bounds-checked, and where faults are asked. */
#ifndef VGM_LOOKUP_H
#define VGM_LOOKUP_H

#include "fault.h"

/* A text of the snapshot, copied. */
struct vgm_text {
    char bytes[256];
    unsigned int size; /* its NUL included */
};

const struct vgm_gpu *vgm_find_gpu(struct vgm_call *call, nvmlDevice_t device, uint32_t *number);
const struct vgm_instance *vgm_find_instance(struct vgm_call *call, nvmlVgpuInstance_t handle);
/* The same without faults, for those that a list names. */
const struct vgm_instance *vgm_peek_instance(struct vgm_call *call, nvmlVgpuInstance_t handle);
const struct vgm_type *vgm_find_type(struct vgm_call *call, nvmlVgpuTypeId_t id);
const uint32_t *vgm_list(struct vgm_call *call, uint32_t first, uint32_t count);
const struct vgm_gpu *vgm_all_gpus(struct vgm_call *call, uint32_t *count);
bool vgm_copy_text(struct vgm_call *call, struct vgm_text *text, const char *from, size_t room);
nvmlDevice_t vgm_device_handle(uint32_t number);

static inline nvmlReturn_t vgm_put_text(const struct vgm_text *text, char *to, unsigned int room)
{
    if (room < text->size)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    memcpy(to, text->bytes, text->size);
    return NVML_SUCCESS;
}

#define NUMBERED_GPU(gpu, device, number)                                       \
    uint32_t number = VGM_ANY;                                                  \
    const struct vgm_gpu *gpu = vgm_find_gpu(&call, device, &number);           \
    if (UNLIKELY(gpu == NULL))                                                  \
        continue;

#define GPU(gpu, device)          \
    NUMBERED_GPU(gpu, device, gpu##_number) \
    (void)gpu##_number

#define VGPU_HOST(gpu, device)    \
    GPU(gpu, device);             \
    if (!gpu->is_vgpu_host)       \
    FAIL(NVML_ERROR_NOT_SUPPORTED)

#define INSTANCE(instance, handle)                                              \
    const struct vgm_instance *instance = vgm_find_instance(&call, handle);     \
    if (UNLIKELY(instance == NULL))                                             \
        continue;

#define TYPE(type, id)                                              \
    const struct vgm_type *type = vgm_find_type(&call, id);         \
    if (UNLIKELY(type == NULL))                                     \
        continue;

/* In a function without gpu or instance. */
#define SYSTEM()                                                    \
    if (UNLIKELY(!vgm_ask_faults(&call, VGM_ANY, VGM_ANY)))         \
        continue;

#define TEXT(text, from)                                                      \
    if (UNLIKELY(!vgm_copy_text(&call, &(text), from, sizeof(from))))         \
        continue;

#endif
