/* One call of a client: the same beginning and the same end for every function.

       nvmlReturn_t nvmlDeviceGetX(nvmlDevice_t device, unsigned int *x)
       {
           unsigned int value = 0;
           CALL(nvmlDeviceGetX) {
               REQUIRE(x != NULL);
               GPU(gpu, device);
               value = gpu->x;
           }
           ANSWER(*x = value);
       }

   CALL's body runs where the library is initialised, the host alive, and the function as old as the simulated
   driver. It runs again from its start if the host published meanwhile, so it writes nothing to the client and
   uses no loop of its own around FAIL, REQUIRE, GPU and the like, which leave it. ANSWER hands out what was read,
   and only then. */
#ifndef VGM_CALL_H
#define VGM_CALL_H

#include <string.h>

#include "session.h"

struct vgm_call {
    struct vgm_view *view;
    const struct vgm_host *host; /* the slot in force */
    uint64_t generation;
    nvmlReturn_t code;
    enum vgm_function function;
    uint32_t tries;
    bool going;
    bool is_past_faults; /* they are asked once a call, however often it runs */
};

extern const uint16_t vgm_since[FUNCTIONS];

void vgm_aim(struct vgm_call *call);
void vgm_again(struct vgm_call *call);

static inline bool vgm_is_current(const struct vgm_call *call)
{
    atomic_thread_fence(memory_order_acquire);
    return LIKELY(ONCE(call->view->header->generation) == call->generation &&
                  atomic_load_explicit(&vgm_current, memory_order_relaxed) == call->view);
}

static inline void vgm_begin(struct vgm_call *call, enum vgm_function function)
{
    call->function = function;
    call->tries = 0;
    call->going = false;
    call->is_past_faults = false;
    if (UNLIKELY(atomic_load_explicit(&vgm_initialisations, memory_order_acquire) == 0)) {
        call->code = NVML_ERROR_UNINITIALIZED;
        return;
    }
    call->view = atomic_load_explicit(&vgm_current, memory_order_acquire);
    if (UNLIKELY(!vgm_is_alive(call->view))) {
        call->code = NVML_ERROR_DRIVER_NOT_LOADED;
        return;
    }
    call->going = true;
    vgm_aim(call);
}

static inline void vgm_end(struct vgm_call *call)
{
    if (vgm_is_current(call) || !call->going)
        call->going = false;
    else
        vgm_again(call);
}

#define CALL(name)                                                                \
    struct vgm_call call;                                                         \
    for (vgm_begin(&call, F_##name); call.going; vgm_end(&call))                  \
        if (LIKELY(call.code == NVML_SUCCESS))

#define FAIL(why)         \
    {                     \
        call.code = why;  \
        continue;         \
    }

#define REQUIRE(condition)     \
    if (UNLIKELY(!(condition))) \
    FAIL(NVML_ERROR_INVALID_ARGUMENT)

/* A structure that says its version itself. */
#define VERSIONED(argument, wanted)                  \
    REQUIRE((argument) != NULL);                     \
    if (UNLIKELY((argument)->version != (wanted)))   \
    FAIL(NVML_ERROR_ARGUMENT_VERSION_MISMATCH)

#define ANSWER(assignments)                  \
    if (LIKELY(call.code == NVML_SUCCESS)) { \
        assignments;                         \
    }                                        \
    return call.code

#endif
