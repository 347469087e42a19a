/* The session: which host this process is attached to, and how often the program has initialised. */
#ifndef VGM_SESSION_H
#define VGM_SESSION_H

#include "view.h"

extern atomic_uint vgm_initialisations;
extern _Atomic(struct vgm_view *) vgm_current;

/* Count one more initialisation; the first attaches, and so does any after the host was lost. */
nvmlReturn_t vgm_session_open(void);
/* Count one less. */
nvmlReturn_t vgm_session_close(void);

#endif
