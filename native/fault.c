/* Whether an injected fault fires. The same rule stands in vgpu_migrate.snapshot.faults; a test compares them. */
#include "fault.h"

#include <errno.h>

/* The n-th draw of a seed: splitmix64. */
static uint64_t draw(uint64_t seed, uint64_t n)
{
    uint64_t z = seed + (n + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static bool concerns(const struct vgm_fault *fault, enum vgm_function function, uint32_t gpu, uint32_t instance)
{
    return (fault->function == VGM_ANY || fault->function == (uint32_t)function) &&
           (fault->gpu == VGM_ANY || fault->gpu == gpu) &&
           (fault->instance == VGM_ANY || fault->instance == instance) &&
           (fault->until_ms == 0 || vgm_now_ms() < fault->until_ms);
}

/* Count a matching call, and say whether the fault fires at it. */
static bool fires(const struct vgm_view *view, const struct vgm_fault *fault)
{
    uint64_t n = atomic_fetch_add(&view->counters[fault->counter], 1);
    if (n < fault->after)
        return false;
    return fault->threshold == VGM_ANY || draw(fault->seed, n) >> 32 < fault->threshold;
}

static void delay(uint32_t microseconds)
{
    struct timespec left = {.tv_sec = microseconds / 1000000u, .tv_nsec = microseconds % 1000000u * 1000};
    while (microseconds != 0 && nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

bool vgm_ask_faults(struct vgm_call *call, uint32_t gpu, uint32_t instance)
{
    uint32_t count = ONCE(call->host->faults_count);
    if (LIKELY(count == 0) || call->is_past_faults)
        return true;
    const struct vgm_fault *faults =
        VGM_AT(call->view, ONCE(call->host->faults_offset), count, struct vgm_fault);
    if (faults == NULL || count > VGM_COUNTERS) {
        call->code = NVML_ERROR_UNKNOWN;
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct vgm_fault fault;
        memcpy(&fault, &faults[i], sizeof fault);
        /* What was torn must not count; the call runs again. */
        if (fault.counter >= VGM_COUNTERS || !vgm_is_current(call)) {
            call->code = NVML_ERROR_UNKNOWN;
            return false;
        }
        if (!concerns(&fault, call->function, gpu, instance) || !fires(call->view, &fault))
            continue;
        delay(fault.delay_us);
        if (fault.code != NVML_SUCCESS) {
            call->code = (nvmlReturn_t)fault.code;
            call->going = false; /* decided, whatever is published meanwhile */
            return false;
        }
    }
    call->is_past_faults = true;
    return true;
}
