/* Damaged snapshots under any call: bytes are patched into header, static part or slots, before the library attaches
   or under its feet. What it answers does not matter here, only that it does, and touches nothing else. */
#include "client.h"
#include "host.h"

#include <string.h>

#include "../layout.h"

#define BEFORE_ATTACH 0x80u

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    host_start();
    return 0;
}

/* A place: in the header, the head of the static part, the slot in force (its head, first gpu, first instance, or
   anywhere), the rules, or anywhere. */
static size_t a_place(struct input *input, const unsigned char *memory, size_t size)
{
    struct vgm_header header;
    struct vgm_static fixed;
    struct vgm_host host;
    unsigned how = (unsigned)take(input, 1);
    uint64_t place = take(input, 1) * 4;
    memcpy(&header, memory, sizeof header);
    uint64_t slot = header.slot_offset[header.generation & 1];
    if (header.static_offset > size - sizeof fixed || slot > size - sizeof host)
        return 0; /* patched before */
    memcpy(&fixed, memory + header.static_offset, sizeof fixed);
    memcpy(&host, memory + slot, sizeof host);
    switch (how & 7) {
    case 0: return place % sizeof header;
    case 1: return (header.static_offset + place % sizeof fixed) % size;
    case 2: return (slot + place % sizeof host) % size;
    case 3: return (host.gpus_offset + place) % size;
    case 4: return (host.instances_offset + place) % size;
    case 5: return ((how & 8 ? fixed.rules_offset : fixed.comparisons_offset) + place) % size;
    case 6: return (slot + place + take(input, 1) * 1024) % size;
    default: return (place + take(input, 2) * 1024) % size;
    }
}

static void patch(struct input *input)
{
    size_t size;
    unsigned char *memory = host_memory(&size);
    size_t place = a_place(input, memory, size);
    unsigned how = (unsigned)take(input, 1);
    uint64_t value = how & 0x10 ? UINT64_MAX : take(input, 1u << (how & 3));
    unsigned bytes = how & 4 ? 8 : 4;
    if (how & 8) { /* a little more or less than there was */
        uint32_t there = 0;
        memcpy(&there, memory + place, size - place < 4 ? size - place : 4);
        value = there + (uint32_t)(int8_t)value;
    }
    memcpy(memory + place, &value, size - place < bytes ? size - place : bytes);
}

static void some_patches(struct input *input)
{
    for (unsigned patches = (unsigned)take(input, 1) % 8; patches > 0; patches--)
        patch(input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, data + size};
    size_t image_size;
    host_behave(0);
    host_leave();
    client_notice();
    unsigned how = (unsigned)take(&input, 1);
    host_choose(how % 16, &image_size);
    if (how & BEFORE_ATTACH) {
        some_patches(&input);
    }
    if (client_init() == 0) {
        client_learn();
        if (!(how & BEFORE_ATTACH))
            some_patches(&input);
    }
    for (unsigned calls = 0; calls < 512 && !is_at_end(&input); calls++) {
        if (*input.at == 0xFF)
            input.at++, patch(&input);
        else
            client_call(&input, false);
        if (!(how & 0x40))
            host_beat();
    }
    return 0;
}
