/* PCI addresses as NVML spells and reads them. */
#ifndef VGM_PCI_H
#define VGM_PCI_H

#include <stdbool.h>
#include <stdint.h>

struct vgm_address {
    uint32_t domain, bus, device;
};

/* Write DOMAIN:BUS:DEVICE.0 with so many digits of the domain; needs digits + 9 bytes. */
void vgm_spell_address(const struct vgm_address *address, unsigned int digits, char *to);

/* Read domain:bus:device.function, domain:bus:device or bus:device.function, all in hex. */
bool vgm_read_address(const char *from, struct vgm_address *address);

#endif
