/* What goes over the host's socket: the descriptors of the snapshot, and setters. */
#ifndef VGM_WIRE_H
#define VGM_WIRE_H

#include "layout.h"
#include "nvml_abi.h"

struct vgm_view;

/* Where the host listens: the environment's word, or NULL. */
const char *vgm_host_path(void);

/* Ask the host for its snapshot and counters. The caller closes both descriptors. */
nvmlReturn_t vgm_ask_descriptors(const char *path, int descriptors[2]);

/* Send a setter to the host that was attached to, and say what it answered. */
nvmlReturn_t vgm_send_call(struct vgm_view *view, const struct vgm_call_body *body);

#endif
