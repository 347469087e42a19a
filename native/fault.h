/* Injected faults: what a call has to answer instead, because somebody wants to see it. */
#ifndef VGM_FAULT_H
#define VGM_FAULT_H

#include "call.h"

/* Ask the faults about a call, once in its life; false where one decides it. VGM_ANY: without gpu or instance. */
bool vgm_ask_faults(struct vgm_call *call, uint32_t gpu, uint32_t instance);

#endif
