/* Injected faults: what a call has to answer instead, because somebody wants to see it. */
#ifndef VGM_FAULT_H
#define VGM_FAULT_H

#include "session.h"

/* Whether initialising is to fail, and how. */
nvmlReturn_t vgm_fault_at_init(struct vgm_view *view, enum vgm_function function);

#endif
