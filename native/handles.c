/* How many gpus there are, and the ways to one's handle. */
#include <strings.h>

#include "lookup.h"
#include "pci.h"

/* How one gpu is looked for: its UUID, or else its address. */
struct wanted {
    const char *uuid;
    struct vgm_address address;
};

static bool is_wanted(const struct vgm_gpu *gpu, const struct wanted *wanted)
{
    if (wanted->uuid != NULL)
        return strncasecmp(gpu->uuid, wanted->uuid, sizeof gpu->uuid) == 0;
    return gpu->pci_domain == wanted->address.domain && gpu->pci_bus == wanted->address.bus &&
           gpu->pci_device == wanted->address.device;
}

/* The number of the gpu wanted; leaves the reason in the call where there is none. */
static bool search(struct vgm_call *call, const struct wanted *wanted, uint32_t *number)
{
    uint32_t count;
    const struct vgm_gpu *gpus = vgm_all_gpus(call, &count);
    if (gpus == NULL)
        return false;
    for (*number = 0; *number < count; ++*number)
        if (is_wanted(&gpus[*number], wanted))
            return vgm_ask_faults(call, *number, VGM_ANY);
    call->code = NVML_ERROR_NOT_FOUND;
    return false;
}

#define COUNT(name)                                  \
    VGM_API nvmlReturn_t name(unsigned int *count)   \
    {                                                \
        uint32_t value = 0;                          \
        CALL(name) {                                 \
            REQUIRE(count != NULL);                  \
            SYSTEM();                                \
            if (vgm_all_gpus(&call, &value) == NULL) \
                continue;                            \
        }                                            \
        ANSWER(*count = value);                      \
    }

COUNT(nvmlDeviceGetCount)
COUNT(nvmlDeviceGetCount_v2)

#define BY_INDEX(name)                                                    \
    VGM_API nvmlReturn_t name(unsigned int index, nvmlDevice_t *device)   \
    {                                                                     \
        CALL(name) {                                                      \
            REQUIRE(device != NULL);                                      \
            GPU(gpu, vgm_device_handle(index));                           \
        }                                                                 \
        ANSWER(*device = vgm_device_handle(index));                       \
    }

BY_INDEX(nvmlDeviceGetHandleByIndex)
BY_INDEX(nvmlDeviceGetHandleByIndex_v2)

VGM_API nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
    const struct wanted wanted = {.uuid = uuid};
    uint32_t number = 0;
    CALL(nvmlDeviceGetHandleByUUID) {
        REQUIRE(uuid != NULL && device != NULL);
        if (!search(&call, &wanted, &number))
            continue;
    }
    ANSWER(*device = vgm_device_handle(number));
}

/* GPU- and the sixteen bytes as 8-4-4-4-12 hex digits; needs 41 bytes. */
static void spell_uuid(const unsigned char *bytes, char *to)
{
    memcpy(to, "GPU-", 4);
    to += 4;
    for (unsigned int i = 0; i < NVML_DEVICE_UUID_BINARY_LEN; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = "0123456789abcdef"[bytes[i] >> 4];
        *to++ = "0123456789abcdef"[bytes[i] & 15];
    }
    *to = '\0';
}

VGM_API nvmlReturn_t nvmlDeviceGetHandleByUUIDV(const nvmlUUID_t *uuid, nvmlDevice_t *device)
{
    char text[NVML_DEVICE_UUID_ASCII_LEN + 1] = "";
    const struct wanted wanted = {.uuid = text};
    uint32_t number = 0;
    CALL(nvmlDeviceGetHandleByUUIDV) {
        VERSIONED(uuid, nvmlUUID_v1);
        REQUIRE(device != NULL);
        if (uuid->type == NVML_UUID_TYPE_ASCII)
            memcpy(text, uuid->value.str, sizeof uuid->value.str);
        else if (uuid->type == NVML_UUID_TYPE_BINARY)
            spell_uuid(uuid->value.bytes, text);
        else
            FAIL(NVML_ERROR_INVALID_ARGUMENT);
        if (!search(&call, &wanted, &number))
            continue;
    }
    ANSWER(*device = vgm_device_handle(number));
}

#define BY_ADDRESS(name)                                                            \
    VGM_API nvmlReturn_t name(const char *pciBusId, nvmlDevice_t *device)           \
    {                                                                               \
        struct wanted wanted = {.uuid = NULL};                                      \
        uint32_t number = 0;                                                        \
        CALL(name) {                                                                \
            REQUIRE(pciBusId != NULL && device != NULL);                            \
            REQUIRE(vgm_read_address(pciBusId, &wanted.address));                   \
            if (!search(&call, &wanted, &number))                                   \
                continue;                                                           \
        }                                                                           \
        ANSWER(*device = vgm_device_handle(number));                                \
    }

BY_ADDRESS(nvmlDeviceGetHandleByPciBusId)
BY_ADDRESS(nvmlDeviceGetHandleByPciBusId_v2)
