/* Where a call begins, and begins again. */
#include "call.h"

#define MOST_TRIES 10000u

const uint16_t vgm_since[FUNCTIONS] = {VGM_SINCE};

void vgm_aim(struct vgm_call *call)
{
    const struct vgm_view *view = call->view;
    call->generation = ONCE(view->header->generation);
    atomic_thread_fence(memory_order_acquire);
    call->host = (const struct vgm_host *)(view->base + view->slot_offset[call->generation & 1]);
    bool is_there = ONCE(call->host->driver_major) >= vgm_since[call->function];
    call->code = LIKELY(is_there) ? NVML_SUCCESS : NVML_ERROR_FUNCTION_NOT_FOUND;
}

void vgm_again(struct vgm_call *call)
{
    call->view = atomic_load_explicit(&vgm_current, memory_order_acquire);
    if (++call->tries < MOST_TRIES) {
        vgm_aim(call);
        return;
    }
    call->code = NVML_ERROR_UNKNOWN;
    call->going = false;
}
