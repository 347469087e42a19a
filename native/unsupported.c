/* Functions that exist so that programs start. Each answers NOT_SUPPORTED, after what every call answers first.

   Their arguments are not looked at, so they are declared without, and NVIDIA's prototypes stay out. */
#undef VGM_NVIDIA_HEADER
#include "lookup.h"

__attribute__((noinline)) static nvmlReturn_t refuse(enum vgm_function function)
{
    struct vgm_call call;
    for (vgm_begin(&call, function); call.going; vgm_end(&call)) {
        if (call.code != NVML_SUCCESS)
            continue;
        SYSTEM();
        call.code = NVML_ERROR_NOT_SUPPORTED;
    }
    return call.code;
}

#define REFUSE(name)                            \
    VGM_API nvmlReturn_t name(void);            \
    VGM_API nvmlReturn_t name(void)             \
    {                                           \
        return refuse(F_##name);                \
    }

VGM_NOT_SUPPORTED(REFUSE)
