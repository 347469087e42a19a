#include "pci.h"

#include <stddef.h>

static char *put_hex(char *to, uint32_t number, unsigned int digits)
{
    for (unsigned int shift = digits * 4; shift > 0; shift -= 4)
        *to++ = "0123456789ABCDEF"[number >> (shift - 4) & 15];
    return to;
}

void vgm_spell_address(const struct vgm_address *address, unsigned int digits, char *to)
{
    to = put_hex(to, address->domain, digits);
    *to++ = ':';
    to = put_hex(to, address->bus, 2);
    *to++ = ':';
    to = put_hex(to, address->device, 2);
    *to++ = '.';
    *to++ = '0';
    *to = '\0';
}

/* One to eight hex digits, 0x before them allowed; NULL where there are none or more. */
static const char *take_hex(const char *from, uint32_t *number)
{
    unsigned int digits = 0;
    *number = 0;
    if (from[0] == '0' && (from[1] == 'x' || from[1] == 'X'))
        from += 2;
    for (;; from++, digits++) {
        uint32_t digit;
        if (*from >= '0' && *from <= '9')
            digit = (uint32_t)(*from - '0');
        else if ((*from | 0x20) >= 'a' && (*from | 0x20) <= 'f')
            digit = (uint32_t)((*from | 0x20) - 'a' + 10);
        else
            break;
        if (digits == 8)
            return NULL;
        *number = *number << 4 | digit;
    }
    return digits > 0 ? from : NULL;
}

bool vgm_read_address(const char *from, struct vgm_address *address)
{
    uint32_t parts[3], function = 0;
    unsigned int count = 0;
    do {
        from = take_hex(from, &parts[count++]);
    } while (from != NULL && count < 3 && *from == ':' && from++);
    bool has_function = from != NULL && *from == '.';
    if (has_function)
        from = take_hex(from + 1, &function);
    if (from == NULL || *from != '\0' || function != 0 || count < 2 || (count == 2 && !has_function))
        return false;
    address->domain = count == 3 ? parts[0] : 0;
    address->bus = parts[count - 2];
    address->device = parts[count - 1];
    return true;
}
