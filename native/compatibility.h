/* The rule table, interpreted: what two metadata records mean together. */
#ifndef VGM_COMPATIBILITY_H
#define VGM_COMPATIBILITY_H

#include "call.h"

struct vgm_verdict {
    uint32_t states; /* nvmlVgpuVmCompatibility_t */
    uint32_t limits; /* nvmlVgpuPgpuCompatibilityLimitCode_t */
};

/* Judge two records by the host's rules. Exactly 212 and 128 bytes are read, at any alignment.
   INVALID_ARGUMENT where a record is malformed or not ours, or the two are swapped. */
nvmlReturn_t vgm_judge(const struct vgm_view *view, const void *vgpu_record, const void *gpu_record,
                       struct vgm_verdict *verdict);

#endif
